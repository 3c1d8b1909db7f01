/*
 * trouble.js
 *		What went wrong with the whole page, what to do about it, and trying again.
 *
 * Charts stay as they were while they are of what is chosen.  When the service or its database is away, it is asked
 * again after 2, 4, ... up to 30 seconds.  A token is asked for where one is wanted.
 */
import {ApiError, token} from './api.js';
import {byId, h} from './dom.js';
import {upper} from './format.js';

const FIRST_MS = 2000;
const MOST_MS = 30000;

let again = null, wait = FIRST_MS, current = null, retry = null;

/* What happened, and what can be done. */
export function explain(error)
{
	if (!(error instanceof ApiError))
		return [error.message, ''];
	if (error.status === 0)
		return ['The service does not answer.',
			'Is vsm-gateway running? The page tries again by itself; figures below are the last ones that came.'];
	if (error.status === 401)
		return [token.get() === '' ? 'This service wants an access token (401).' : `The access token was not accepted (401): ${error.message}.`,
			'Paste one that your administrator gave you. It is kept in this tab until you close it.'];
	if (error.status === 403)
		return [forbidden(error), error.hint ?? (token.get() === '' ? 'Ask your administrator for access.' : 'Ask your administrator for a token of another role.')];
	if (error.status === 404)
		return [`${error.message}.`, error.hint ?? ''];
	if (error.status === 409)
		return [upper(error.message) + ' (409)', inWords(error.hint ?? '')];
	if (error.status >= 500)
		return [`The service has no answer now (${error.status}): ${error.message}.`,
			error.hint ?? 'Its database may be away. The page tries again by itself.'];
	return [`${upper(error.message)} (${error.status})`, error.hint ?? ''];
}

/* Without a token, the rights are those of the service. */
export const forbidden = error => `${token.get() === '' ? 'This service' : 'Your access token'} does not allow this (403): ${error.message}.`;

/* The limit of a stage has no control on the page. */
const inWords = hint => hint.replace('or raise its wip_limit', 'or ask your administrator to raise its limit');

const passes = error => error instanceof ApiError && (error.status === 0 || error.status >= 500);

/* Of the whole page, not only of what was just done? */
export const isTrouble = error => !(error instanceof ApiError) || passes(error) || error.status === 401;

export const trouble = {
	start(how)
	{
		const dialog = byId('token-dialog'), field = byId('token');

		retry = how.retry;
		byId('token-button').onclick = () => trouble.askToken();
		byId('token-form').onsubmit = event => {
			event.preventDefault();
			token.set(field.value.trim().replace(/^Bearer\s+/i, ''));
			dialog.close();
			trouble.over();
			retry();
		};
		/* A token has one line, in a field that wraps it. */
		field.onkeydown = event => {
			if (event.key !== 'Enter' || event.isComposing)
				return;
			event.preventDefault();
			byId('token-form').requestSubmit();
		};
		byId('token-forget').onclick = () => {
			token.set('');
			dialog.close();
			retry();
		};
		byId('token-cancel').onclick = () => dialog.close();
	},

	askToken()
	{
		byId('token').value = token.get();
		byId('token-dialog').showModal();
	},

	is: () => current !== null,

	show(error)
	{
		const [what, said] = explain(error), advice = error.status === 404 ? 'Choose another stream above.' : said;
		const text = what + '\n' + advice, region = byId('trouble');

		if (text !== current)
			region.replaceChildren(h('div', null, h('p', null, h('strong', null, what)), advice && h('p', null, advice)),
				error.status === 401 ? h('button', {type: 'button', onclick: () => trouble.askToken()}, 'Enter a token') :
				h('button', {type: 'button', onclick: () => retry()}, 'Try again'));
		current = text;
		region.hidden = false;
		clearTimeout(again);
		if (!passes(error))
			return;
		again = setTimeout(() => retry({quiet: true}), wait);
		wait = Math.min(wait * 2, MOST_MS);
	},

	over()
	{
		clearTimeout(again);
		[wait, current] = [FIRST_MS, null];
		byId('trouble').hidden = true;
		byId('trouble').replaceChildren();
	},
};
