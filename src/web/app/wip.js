/*
 * wip.js
 *		Work in progress of each stage against its limit, now: read every few seconds, of all types.
 */
import {barList, barRow, rows, setText, share} from './bars.js';
import {stageColours} from './colours.js';
import {count, items} from './format.js';
import {panel} from './panel.js';

export const wipNow = () => {
	const frame = panel('wip', 'WIP now',
		'Items in each stage at this moment, against its limit. Finish work in a full stage before you start more.');
	let shown = [];
	const bars = barList('bars', 'WIP, by stage', n => [shown[n].stage, says(shown[n]), shown[n].category]);

	return {
		frame,
		show(stages, {stages: known})
		{
			if (stages.length === 0)
				return frame.instead('This stream has no stages yet.');
			shown = stages;
			update(bars.list, stages, stageColours(known));
			bars.into(frame.chart);
			frame.shown({
				remark: `WIP: ${items(stages.reduce((sum, stage) => sum + stage.wip, 0))} of all types, live.`,
				rows: [['Stage', 'Items', 'Limit', 'State'], ...stages.map(stage => [
					stage.stage, count(stage.wip), count(stage.wip_limit), state(stage) || 'free'])],
			});
		},
	};
};

/* '', 'full' or 'over limit' */
export function state({wip, wip_limit: limit})
{
	if (limit === null || wip < limit)
		return '';
	return wip === limit ? 'full' : 'over limit';
}

/* Such as "5 of 3, over limit". */
export const says = stage => stage.wip_limit === null ?
	count(stage.wip) : `${count(stage.wip)} of ${count(stage.wip_limit)}${state(stage) && ', ' + state(stage)}`;

function update(list, stages, colours)
{
	const most = Math.max(1, ...stages.map(stage => Math.max(stage.wip, stage.wip_limit ?? 0)));

	rows(list, stages.map(stage => stage.stage), name => barRow(name, ['wip', 'limit'])).forEach((row, n) => {
		const stage = stages[n], [bar, limit] = row.querySelectorAll('.bar');

		row.classList.toggle('full', state(stage) === 'full');
		row.classList.toggle('over', state(stage) === 'over limit');
		row.querySelector('.swatch').style.setProperty('--colour', colours.get(stage.stage));
		bar.style.width = share(stage.wip, most);
		limit.hidden = stage.wip_limit === null;
		limit.style.left = share(stage.wip_limit, most);
		setText(row.querySelector('.bar-value'), says(stage));
	});
}
