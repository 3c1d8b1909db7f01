/*
 * blocked.js
 *		What blocked started work, by reason: how long, how often, how many items.
 */
import {barList, barRow, rows, setText, share} from './bars.js';
import {count, hours, items, span} from './format.js';
import {panel} from './panel.js';

export const blocked = () => {
	const frame = panel('blocked', 'Blocked time', 'What started work waited for, by reason. The longest bar is the first to remove.');
	let reasons = [];
	const bars = barList('bars', 'Blocked time by reason', n => [reasons[n].reason, `${span(reasons[n].hours)} in all`, `${items(reasons[n].items)}, blocked ${count(reasons[n].spells)} times`]);

	return {
		frame,
		path: 'blocked-time',
		parameters: ({period, type, stream}) => ({stream, type, ...period}),
		show(answer)
		{
			const by = new Map();

			for (const row of answer.rows)
			{
				const sum = by.get(row.reason) ?? {reason: row.reason, hours: 0, spells: 0, items: 0};

				by.set(row.reason, {...sum, hours: sum.hours + row.blocked_hours, spells: sum.spells + row.spells, items: sum.items + row.items});
			}
			reasons = [...by.values()].sort((a, b) => b.hours - a.hours);
			if (reasons.length === 0)
				return frame.instead('Nothing was blocked in this window. Open an item, on the board or from the chart of ages, to say what blocks it.');
			bars.into(frame.chart);
			rows(bars.list, reasons.map(({reason}) => reason), reason => barRow(reason, ['blocked'])).forEach((row, n) => {
				row.querySelector('.bar').style.width = share(reasons[n].hours, reasons[0].hours);
				setText(row.querySelector('.bar-value'), span(reasons[n].hours));
			});
			frame.shown({
				remark: `${span(answer.blocked_hours)} in all. An item that was blocked in two stages counts in both.`,
				rows: [['Stage', 'Reason', 'Blocks', 'Items', 'Blocked'], ...answer.rows.map(row => [row.stage, row.reason, count(row.spells), count(row.items), hours(row.blocked_hours)])],
			});
		},
	};
};
