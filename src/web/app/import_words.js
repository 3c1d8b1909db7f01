/*
 * import_words.js
 *		What went wrong with an import, and what can be done about it.
 */
import {ApiError} from './api.js';
import {upper} from './format.js';
import {forbidden} from './trouble.js';

const KEPT = 'The file is still chosen.';
const LEVELS = 'An administrator gives roles their level.';

/* By a parameter of the request, which the view has no control for: what the service says of it. */
const RIGHTS = [
	['create_types', `New types need level admin of all streams. ${LEVELS} With the types defined, a lower level can import the file.`],
	['create_stages', `New streams and stages need level admin. ${LEVELS} A lower level can import into a stream that has the stages of the file.`],
];

const rights = (hint, wrote) => RIGHTS.find(([parameter]) => hint.includes(parameter))?.[1]
	?? (!hint.includes('dry_run') ? hint : wrote ? hint.replace(', or with dry_run level reader', '') : `This needs a role with level reader, writer or admin. ${LEVELS}`);

const inWords = hint => hint.replace('skip them with on_error=skip', 'leave out lines that cannot be imported');

/* wrote: the request would have written.  What happened, and what to do. */
export function importError(error, wrote)
{
	const nothing = wrote ? 'Nothing was imported.' : 'Nothing was written.';

	if (!(error instanceof ApiError))
		return [error.message, KEPT];
	if (error.status === 0)
		return [`${error.message}.`, error.hint ?? (wrote ? 'The connection broke off, so it is not known whether the import was finished. '
			+ `${KEPT} Import it again when the service is back: what is there already is not added twice.`
			: `Is vsm-gateway running? ${nothing} ${KEPT} Try again when it is back.`)];
	if (error.status === 401)
		return ['This service wants an access token (401).', `${nothing} ${KEPT} Enter a token, then try again.`];
	if (error.status === 403)
		return [forbidden(error), `${nothing} ${KEPT} ${rights(error.hint ?? 'create_stages', wrote)}`];
	if (error.status === 413)
		return ['The file is larger than this service takes (413).', `${nothing} Export a shorter time, and import the parts one after the other, in any order.`];
	if (error.status === 507)
		return [`${error.message} (507).`, `${KEPT} ${error.hint ?? ''}`];
	if (error.status >= 500)
		return [`The service has no answer now (${error.status}): ${error.message}.`, `${nothing} ${KEPT} Try again in a moment.`];
	return [`${upper(error.message)} (${error.status})`, `${nothing} ${inWords(error.hint ?? '')}`.trim()];
}
