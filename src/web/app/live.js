/*
 * live.js
 *		Does something again and again while the page is visible.
 */

/* The next time is counted from the end of this one, so a slow service is not asked twice at once. */
export function every(ms, act, failed)
{
	let timer = null, running = null;

	const plan = () => {
		clearTimeout(timer);
		timer = document.hidden ? null : setTimeout(now, ms);
	};
	const now = () => running ??= act().catch(failed).finally(() => {
		running = null;
		plan();
	});

	document.addEventListener('visibilitychange', () => document.hidden ? clearTimeout(timer) : now());
	plan();
	return {now};
}
