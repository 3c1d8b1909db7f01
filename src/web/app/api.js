/*
 * api.js
 *		Requests to the service that served this page.
 *
 * Paths are relative to the page, so that it also works below a prefix.  What is
 * refused becomes an ApiError; status 0 means that nobody answered, or not to the end.
 */

import {asJson} from './json.js';

const TOKEN = 'vsm.token';

export class ApiError extends Error
{
	constructor(status, body)
	{
		const detail = body?.detail;

		super(Array.isArray(detail) ? detail.map(field => `${field.loc.at(-1)}: ${field.msg}`).join('; ') : detail ?? `Status ${status}`);
		this.status = status;
		this.hint = body?.hint ?? null;
		this.body = body;
	}
}

/* Kept for as long as the tab lives, and no longer. */
export const token = {
	get: () => sessionStorage.getItem(TOKEN) ?? '',
	set: text => text === '' ? sessionStorage.removeItem(TOKEN) : sessionStorage.setItem(TOKEN, text),
};

export function address(path, parameters = {})
{
	const url = new URL('api/v1/' + path, document.baseURI);

	for (const [name, value] of Object.entries(parameters))
		if (value !== null && value !== undefined && value !== '')
			url.searchParams.set(name, value);
	return url;
}

async function request(method, path, {parameters, body, signal} = {})
{
	const headers = {accept: 'application/json'};
	let answer, text;

	if (token.get() !== '')
		headers.authorization = 'Bearer ' + token.get();
	if (body !== undefined)
		headers['content-type'] = 'application/json';
	try
	{
		answer = await fetch(address(path, parameters), {method, headers, signal, cache: 'no-store', body: body && JSON.stringify(body)});
		text = await answer.text();
	}
	catch (error)
	{
		if (error.name === 'AbortError')
			throw error;
		throw new ApiError(0, {detail: 'The service does not answer'});
	}

	const content = asJson(text);

	if (!answer.ok)
		throw new ApiError(answer.status, content);
	if (content === undefined)
		throw new ApiError(0, {detail: 'What answers is not the service'});
	return content;
}

export const get = (path, parameters, signal) => request('GET', path, {parameters, signal});
export const post = (path, body) => request('POST', path, {body});
export const put = (path, body) => request('PUT', path, {body});
export const remove = (path, parameters) => request('DELETE', path, {parameters});
