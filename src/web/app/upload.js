/*
 * upload.js
 *		Sends a file, tells how much of it has gone, and can be stopped.
 *
 * XMLHttpRequest, as fetch() tells nothing of a body that is under way.
 */
import {address, ApiError, token} from './api.js';

/* Delimited text of any kind is text/csv to the service. */
async function typeOf(file)
{
	const begin = (await file.slice(0, 64).text()).trimStart();

	return /\.(ndjson|jsonl)$/i.test(file.name) || begin.startsWith('{') ? 'application/x-ndjson' : 'text/csv';
}

/* progress(sent, size); the answer of POST /api/v1/import, or what was wrong as an ApiError. */
export async function upload(file, parameters, {signal, progress = () => {}} = {})
{
	const type = await typeOf(file).catch(() => {
		throw new ApiError(0, {detail: 'The browser cannot read the file any more', hint: 'Was it moved or changed? Choose it once more.'});
	});

	signal?.throwIfAborted();
	return new Promise((resolve, reject) => {
		const request = new XMLHttpRequest();

		request.open('POST', address('import', parameters));
		request.responseType = 'json';
		request.setRequestHeader('content-type', type);
		request.setRequestHeader('accept', 'application/json');
		if (token.get() !== '')
			request.setRequestHeader('authorization', 'Bearer ' + token.get());
		request.upload.onprogress = event => progress(event.loaded, file.size);
		request.upload.onload = () => progress(file.size, file.size);
		request.onload = () => request.status < 300 && request.response ? resolve(request.response) : reject(new ApiError(request.status, request.response));
		request.onerror = () => reject(new ApiError(0, {detail: 'The service does not answer'}));
		request.onabort = () => reject(signal?.reason ?? new DOMException('stopped', 'AbortError'));
		signal?.addEventListener('abort', () => request.abort());
		request.send(file);
	});
}
