/*
 * time_in_stage.js
 *		How long visits to each stage lasted: bars to P50, P85 and P95.
 */
import {barList, barRow, rows, setText, share} from './bars.js';
import {stageColours, theme} from './colours.js';
import {count, hours, span} from './format.js';
import {panel} from './panel.js';
import {isWip} from './stages.js';

export const timeInStage = () => {
	const frame = panel('time-in-stage', 'Time in stage', 'How long a visit to a stage lasts: half of them up to P50, 85 % up to P85, 95 % up to P95.');
	let shown = [];
	const bars = barList('bars spans', 'Time in stage, by stage', n => [
		shown[n].stage, ...['p50', 'p85', 'p95'].map(key => `${key.toUpperCase()} ${hours(shown[n][key])}`),
		`average ${hours(shown[n].avg)}`, `${count(shown[n].visits)} visits`]);

	return {
		frame,
		path: 'time-in-stage',
		parameters: ({period, type, stream}) => ({stream, type, ...period}),
		show(answer, {stages: known})
		{
			const over = new Set(known.filter(stage => !isWip(stage)).map(stage => stage.name));
			const stages = answer.filter(stage => !over.has(stage.stage));

			if (!stages.some(stage => stage.visits > 0))
				return frame.instead('No item left a stage in this window. Choose a longer window or another type.');
			shown = stages;
			update(bars.list, stages, stageColours(known));
			bars.into(frame.chart);
			frame.shown({
				keys: [['P50', 'p50'], ['P85', 'p85'], ['P95', 'p95']].map(([name, key]) => [theme().of('--' + key), name, 'box']),
				remark: 'At the right: P50 · P85 · P95, of visits that ended in the window.',
				rows: [['Stage', 'Visits', 'Average', 'P50', 'P85', 'P95', 'Items', 'Average per item', 'There at the end'], ...answer.map(stage => [
					stage.stage, count(stage.visits), hours(stage.avg), hours(stage.p50), hours(stage.p85), hours(stage.p95),
					count(stage.items), hours(stage.avg_per_item), count(stage.open_visits)])],
			});
		},
	};
};

function update(list, stages, colours)
{
	const most = Math.max(...stages.map(stage => stage.p95 ?? 0));

	rows(list, stages.map(stage => stage.stage), name => barRow(name, ['p95', 'p85', 'p50'])).forEach((row, n) => {
		const stage = stages[n];

		row.querySelector('.swatch').style.setProperty('--colour', colours.get(stage.stage));
		for (const key of ['p50', 'p85', 'p95'])
			row.querySelector('.bar.' + key).style.width = share(stage[key] ?? 0, most);
		setText(row.querySelector('.bar-value'), stage.visits > 0 ? [stage.p50, stage.p85, stage.p95].map(hours => span(hours)).join(' · ') : 'no visits');
	});
}
