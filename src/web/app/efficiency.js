/*
 * efficiency.js
 *		Flow efficiency: the share of active time in the time between start and finish.
 */
import {h} from './dom.js';
import {exactPercent, hours, items, percent, span} from './format.js';
import {panel} from './panel.js';
import {share} from './bars.js';

export const efficiency = () => {
	const frame = panel('efficiency', 'Flow efficiency',
		'Of the time between start and finish: how much was work, how much was waiting. Waiting is the cheapest to cut.');

	return {
		frame,
		path: 'flow-efficiency',
		parameters: ({period, type, stream}) => ({stream, type, ...period}),
		show(answer)
		{
			if (answer.flow_efficiency === null)
				return frame.instead('No item that was started has been finished in this window. Choose a longer window or another type.');

			const whole = answer.active_hours + answer.wait_hours;
			const part = (kind, name, value) => {
				const bar = h('span', {class: 'part ' + kind});

				bar.style.width = share(value, whole);
				return [bar, h('li', {class: kind}, h('strong', null, percent(value / whole)), ` ${name}: ${span(value)}`)];
			};
			const [active, activeText] = part('active', 'active', answer.active_hours), [wait, waitText] = part('wait', 'waiting', answer.wait_hours);

			frame.chart.replaceChildren(h('div', {class: 'efficiency'},
				h('p', {class: 'big'}, percent(answer.flow_efficiency)),
				h('div', {class: 'split', 'aria-hidden': 'true'}, active, wait), h('ul', null, activeText, waitText)));
			frame.shown({
				remark: `Sums over ${items(answer.n)} finished in the window. `
					+ 'Waiting is the time in stages of category wait: without such stages after the start, none shows.',
				rows: [['Time', 'Hours', 'Share'], ['Active', hours(answer.active_hours), exactPercent(answer.active_hours / whole)],
					['Waiting', hours(answer.wait_hours), exactPercent(answer.wait_hours / whole)]],
			});
		},
	};
};
