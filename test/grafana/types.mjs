// types.mjs: the dashboards are what Grafana's published types (npm: @grafana/schema) say
//
// Each dashboard, each panel with the options of its kind, and each override becomes a literal of its type in a program that
// the compiler only checks: an unknown, missing or misspelt property is an error.  Exit status 1 and the findings, or silence.

import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';

const here = path.dirname(fileURLToPath(import.meta.url));
const dashboards = path.join(here, '../../docker/grafana/dashboards');
const kinds = { barchart: 'BarChart', histogram: 'Histogram', nodeGraph: 'NodeGraph', stat: 'Stat', table: 'Table', timeseries: 'TimeSeries' };
const plain = ['nodeGraph', 'stat'];		// their fields have no options of their own

// JSON has no enums: their values stand for them.
const prologue = `
import type * as g from '@grafana/schema';
${Object.entries(kinds).map(([type, name]) =>
	`import type * as ${type} from '@grafana/schema/dist/esm/raw/composable/${type.toLowerCase()}/panelcfg/x/${name}PanelCfg_types.gen';`).join('\n')}
type Json<T> = T extends string ? \`\${T}\` : T extends number | boolean | null | undefined ? T :
	T extends readonly (infer U)[] ? Json<U>[] : unknown extends T ? T : T extends object ? { [K in keyof T]: Json<T[K]> } : T;
type Defaults<C> = Omit<Json<g.FieldConfig>, 'custom'> & { custom?: Json<C> };
type Checked<O, C> = Omit<Json<g.Panel>, 'options' | 'fieldConfig' | 'targets'> & {
	options: Json<O>;
	fieldConfig: { defaults: Defaults<C>; overrides: Json<g.FieldConfigSource['overrides']> };
	targets: (SqlTarget | PromTarget)[];
};
type Target = { refId: string; datasource: Json<g.DataSourceRef>; editorMode: 'code' };
type SqlTarget = Target & { rawQuery: true; format: 'table' | 'time_series'; rawSql: string };
type PromTarget = Target & { expr: string; legendFormat: string; format: 'table' | 'time_series'; instant: boolean; range: boolean };
`;

let program = prologue;
const where = [];			// the line of the program at which something begins, and what it is

function literal(what, type, value)
{
	where.push([program.split('\n').length, what]);
	program += `export const x${where.length}: ${type} = ${JSON.stringify(value, null, '\t')};\n`;
}

for (const file of fs.readdirSync(dashboards).filter(name => name.endsWith('.json')).sort())
{
	const dashboard = JSON.parse(fs.readFileSync(path.join(dashboards, file), 'utf8'));
	literal(file, 'Json<g.Dashboard>', dashboard);

	const panels = dashboard.panels.flatMap(panel => [panel, ...panel.panels ?? []]);
	const ids = new Set(panels.map(panel => panel.id));
	if (ids.size !== panels.length)
		throw new Error(`${file}: two panels have one id`);

	for (const panel of panels.filter(p => p.type !== 'row'))
	{
		const what = `${file}: ${panel.title}`;
		if (!kinds[panel.type])
			throw new Error(`${what}: no types are known here for a ${panel.type}`);
		const custom = plain.includes(panel.type) ? '{}' : `${panel.type}.FieldConfig`;
		literal(what, `Checked<${panel.type}.Options, ${custom}>`, panel);
		for (const property of panel.fieldConfig.overrides.flatMap(override => override.properties))
		{
			const own = property.id.match(/^custom\.(.*)$/);
			literal(`${what}, override of ${property.id}`, own ? `Json<${custom}>['${own[1]}']` : `Json<g.FieldConfig>['${property.id}']`,
				property.value);
		}
	}
}

const name = path.join(here, 'dashboards.ts');
const options = { strict: true, noEmit: true, skipLibCheck: true, types: [], target: ts.ScriptTarget.ES2022,
	module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler };
const host = ts.createCompilerHost(options);
const { fileExists, getSourceFile } = host;
host.fileExists = file => file === name || fileExists(file);
host.getSourceFile = (file, language) => file === name ? ts.createSourceFile(file, program, language) : getSourceFile(file, language);

const findings = ts.getPreEmitDiagnostics(ts.createProgram([name], options, host));
for (const finding of findings)
{
	const line = finding.file && finding.file.fileName === name ? finding.file.getLineAndCharacterOfPosition(finding.start).line + 1 : 0;
	const [, what] = where.filter(([begin]) => begin <= line).pop() ?? [0, 'the program'];
	const text = line ? program.split('\n')[line - 1].trim() : '';
	console.error(`${what}: ${ts.flattenDiagnosticMessageText(finding.messageText, '\n').slice(0, 1500)}\n    ${text.slice(0, 200)}`);
}
console.log(`${where.length} literals checked, ${findings.length} findings`);
process.exit(findings.length > 0 ? 1 : 0);
