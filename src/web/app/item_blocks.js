/*
 * item_blocks.js
 *		What blocks an item, in its dialog: why and since when, to block and to unblock it, and what did before.
 *
 * Only work in progress can be blocked.  After each change, and each refusal, what the service then says is
 * shown, as somebody else may have been faster.
 */
import {get, put} from './api.js';
import {announce, h} from './dom.js';
import {instant, span} from './format.js';
import {isWip} from './stages.js';
import {explain} from './trouble.js';

/* The section for an item whose stage is known; changed(item): it was blocked or unblocked. */
export function itemBlocks(item, {stages, zone}, changed)
{
	const error = h('p', {class: 'error', role: 'alert'}), now = h('div'), before = h('ul', {class: 'note'});
	const reason = h('input', {name: 'reason', required: true, maxlength: 500, autocomplete: 'off'});
	const block = h('form', {onsubmit: event => {
		event.preventDefault();
		act(() => put(`work-items/${item.id}/block`, {reason: reason.value}), 'blocked');
	}}, h('label', null, 'What does it wait for? ', reason), h('button', {type: 'submit', class: 'quiet'}, 'Block'));
	const unblock = h('button', {type: 'button', class: 'quiet', onclick: () => act(() => put(`work-items/${item.id}/unblock`, {}), 'unblocked')}, 'Unblock');
	const inProgress = stages.some(stage => stage.name === item.current_stage && isWip(stage));
	const section = h('section', {class: 'blocks', hidden: true, 'aria-label': 'Blocked'}, h('h3', null, 'Blocked'), now, error, before);
	let acting = false;

	async function read()
	{
		const blocks = await get(`work-items/${item.id}/blocks`), open = blocks.find(({unblocked_at: end}) => end === null), over = blocks.filter(one => one !== open);
		const words = ({reason: why, blocked_at: from}) => [h('strong', null, why), `, since ${instant(from, zone)}`];

		section.hidden = !inProgress && blocks.length === 0;
		now.replaceChildren(...open ? [h('p', null, ...words(open), ` (${open.blocked_by})`), unblock] : inProgress ? [block] : []);
		before.replaceChildren(...over.toReversed().map(one => h('li', null,
			`${one.reason}, from ${instant(one.blocked_at, zone)} for ${span((Date.parse(one.unblocked_at) - Date.parse(one.blocked_at)) / 3600000)}`)));
		return open;
	}

	async function act(what, done)
	{
		if (acting)
			return;
		acting = true;
		error.textContent = '';

		const refused = await what().then(() => null, problem => problem), open = await read().catch(() => undefined);

		acting = false;
		if (refused !== null)
			error.textContent = [`Not ${done}.`, ...refused.status === 409 ? [conflict(done, open)] : explain(refused)].join(' ');
		else
		{
			announce(`“${item.title}” is ${done} now.`);
			reason.value = '';
			changed(item);
		}
		/* The control that was used may be gone. */
		(open ? unblock : reason).focus();
	}

	return {section, read};
}

/* Why it was refused, by what is found now. */
function conflict(done, open)
{
	if (done === 'unblocked')
		return 'It was not blocked any more: somebody else was faster.';
	return open ? 'It is blocked already: somebody else was faster.' : 'It is not in progress any more, and only work in progress can be blocked.';
}
