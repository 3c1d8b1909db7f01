/*
 * csv.js
 *		Rows as a file of comma-separated text, for the browser to keep.
 */

/* A cell that a spreadsheet would take for a formula is text there. */
const cell = value => {
	const text = String(value ?? ''), safe = /^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text)) ? "'" + text : text;

	return /[",\r\n]/.test(safe) ? `"${safe.replaceAll('"', '""')}"` : safe;
};

/* The first row is the head.  With a byte order mark, without which spreadsheets take it for another encoding. */
export const csv = rows => '\ufeff' + rows.map(row => row.map(cell).join(',') + '\r\n').join('');

/* content: text of a CSV file, or a Blob. */
export function save(name, content)
{
	const blob = content instanceof Blob ? content : new Blob([content], {type: 'text/csv;charset=utf-8'});
	const url = URL.createObjectURL(blob), link = document.createElement('a');

	link.href = url;
	link.download = name;
	link.click();
	setTimeout(() => URL.revokeObjectURL(url), 10000);
}
