// lint.mjs FILE: prints what Redocly's linter finds in an OpenAPI document, a line each; nothing for a good one

import { readFileSync } from 'node:fs';
import { createConfig, lintFromString } from '@redocly/openapi-core';

const file = process.argv[2];
// an operation that takes nothing refuses nothing
const config = await createConfig({ extends: ['recommended'], rules: { 'operation-4xx-response': 'off' } });
const problems = await lintFromString({ source: readFileSync(file, 'utf8'), absoluteRef: file, config });

for (const { severity, ruleId, location, message } of problems) {
	console.log(`${severity} ${ruleId} at ${location[0]?.pointer}: ${message}`);
}
