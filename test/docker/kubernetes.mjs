// kubernetes.mjs: the manifests of docker/kubernetes are what the APIs of Kubernetes and the operators take
//
// Twice, with the models of npm (kubernetes-models): by their schemas, as the API server would, and by their types, which know
// no misspelt field.  The overlays are built by kubectl; without it only the files as they stand are looked at.  Then rules
// that no schema knows: selectors find their pods, and what is referred to is there.  A directory of CRDs in VSM_CRDS (YAML) is
// a third opinion.

import { execFileSync } from 'node:child_process';
import fs from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import ts from 'typescript';
import { parseAllDocuments } from 'yaml';

const here = path.dirname(fileURLToPath(import.meta.url));
const root = path.join(here, '../../docker/kubernetes');
const findings = [];

function documents(text, where)
{
	return parseAllDocuments(text).filter(d => d.contents !== null).map(d =>
	{
		findings.push(...d.errors.map(e => `${where}: ${e.message}`));
		return d.toJS();
	});
}

// ---- What there is: { name: [object, ...] } ----

const sets = { argocd: documents(fs.readFileSync(path.join(root, 'argocd/application.yaml'), 'utf8'), 'argocd') };
let overlays = fs.readdirSync(path.join(root, 'overlays'));
try
{
	execFileSync('kubectl', ['version', '--client'], { stdio: 'ignore' });
}
catch
{
	console.log('no kubectl: the overlays are not built');
	overlays = [];
}
for (const overlay of overlays)
	sets[overlay] = documents(execFileSync('kubectl', ['kustomize', path.join(root, 'overlays', overlay)], { encoding: 'utf8' }), overlay);
sets.base = fs.readdirSync(path.join(root, 'base')).filter(f => f !== 'kustomization.yaml')
	.flatMap(f => documents(fs.readFileSync(path.join(root, 'base', f), 'utf8'), f));

// ---- By schema and by type ----

const groups = { 'postgresql.cnpg.io': 'cloudnative-pg', 'monitoring.coreos.com': 'prometheus-operator', 'argoproj.io': 'argo-cd' };

function model(object)
{
	const [group] = object.apiVersion.split('/');
	return groups[group] ? `@kubernetes-models/${groups[group]}/${object.apiVersion}` : `kubernetes-models/${object.apiVersion}`;
}

let program = '';
const places = [];
let n = 0;
for (const [set, objects] of Object.entries(sets))
	for (const object of objects)
	{
		const what = `${set}: ${object.kind} ${object.metadata.name}`;
		try
		{
			new (await import(model(object)))[object.kind](object).validate();
		}
		catch (error)
		{
			findings.push(`${what}: ${error.message}`);
		}
		places.push([program.split('\n').length, what]);
		program += `import type { I${object.kind} as T${n} } from '${model(object)}';\n` +
			`export const x${n}: T${n} = ${JSON.stringify(object, null, '\t')};\n`;
		n++;
	}

const file = path.join(here, 'manifests.ts');
const options = { strict: true, noEmit: true, skipLibCheck: true, types: [], target: ts.ScriptTarget.ES2022,
	module: ts.ModuleKind.ESNext, moduleResolution: ts.ModuleResolutionKind.Bundler };
const host = ts.createCompilerHost(options);
const { fileExists, getSourceFile } = host;
host.fileExists = name => name === file || fileExists(name);
host.getSourceFile = (name, language) => name === file ? ts.createSourceFile(name, program, language) : getSourceFile(name, language);
for (const d of ts.getPreEmitDiagnostics(ts.createProgram([file], options, host)))
{
	const line = d.file?.fileName === file ? d.file.getLineAndCharacterOfPosition(d.start).line + 1 : 0;
	const [, what] = places.filter(([begin]) => begin <= line).pop() ?? [0, 'the program'];
	findings.push(`${what}: ${ts.flattenDiagnosticMessageText(d.messageText, '\n').slice(0, 1000)}\n    ${line ? program.split('\n')[line - 1].trim() : ''}`);
}

// ---- By the operators' own definitions, where they are ----

const crds = {};
for (const name of process.env.VSM_CRDS ? fs.readdirSync(process.env.VSM_CRDS) : [])
	for (const crd of documents(fs.readFileSync(path.join(process.env.VSM_CRDS, name), 'utf8'), name))
		for (const version of crd?.spec?.versions ?? [])
			crds[`${crd.spec.group}/${version.name} ${crd.spec.names.kind}`] = version.schema.openAPIV3Schema;

function unknown(value, schema, where)
{
	if (Array.isArray(value))
		return value.flatMap((v, i) => unknown(v, schema.items ?? {}, `${where}[${i}]`));
	if (value === null || typeof value !== 'object' || schema['x-kubernetes-preserve-unknown-fields'] || !(schema.properties || schema.additionalProperties))
		return [];
	return Object.entries(value).flatMap(([key, v]) =>
	{
		const own = schema.properties?.[key] ?? schema.additionalProperties;
		return own ? unknown(v, own, `${where}.${key}`) : [`${where}.${key} is not known`];
	}).concat((schema.required ?? []).filter(key => !(key in value)).map(key => `${where}.${key} is missing`));
}
for (const [set, objects] of Object.entries(sets))
	for (const object of objects)
	{
		const schema = crds[`${object.apiVersion} ${object.kind}`];
		if (schema)
			findings.push(...unknown(object.spec, schema.properties.spec, `${set}: ${object.kind} ${object.metadata.name} by its CRD: spec`));
	}

// ---- What belongs together ----

function must(condition, finding)
{
	if (!condition)
		findings.push(finding);
}

// kubectl sorts keys.
const canonical = value => JSON.stringify(value, (_, v) => v && typeof v === 'object' && !Array.isArray(v)
	? Object.fromEntries(Object.entries(v).sort(([a], [b]) => a < b ? -1 : 1)) : v);
const within = (labels, selector) => Object.entries(selector).every(([key, value]) => labels?.[key] === value);

for (const set of [...overlays, 'base'])
{
	const all = sets[set];
	const find = (kind, name) => all.find(o => o.kind === kind && o.metadata.name === name);
	const deployment = find('Deployment', 'vsm-gateway');
	const labels = deployment.spec.template.metadata.labels;
	const container = deployment.spec.template.spec.containers[0];
	const cluster = find('Cluster', 'vsm-db');

	must(within(labels, deployment.spec.selector.matchLabels), `${set}: the deployment does not select its own pods`);
	must(within(labels, find('Service', 'vsm-gateway').spec.selector), `${set}: the service does not find the gateways`);
	must(within(labels, find('PodDisruptionBudget', 'vsm-gateway').spec.selector.matchLabels), `${set}: the budget does not find the gateways`);
	must(within(labels, find('NetworkPolicy', 'vsm-gateway').spec.podSelector.matchLabels), `${set}: the policy does not find the gateways`);
	must(within(find('Service', 'vsm-gateway').metadata.labels, find('ServiceMonitor', 'vsm-gateway').spec.selector.matchLabels),
		`${set}: Prometheus does not find the service`);
	must(deployment.spec.replicas === 2, `${set}: not two gateways`);
	const tried = set === 'example' || set === 'pooler';
	must(tried || cluster.spec.instances === 3, `${set}: not three servers`);
	must(cluster.spec.postgresql.shared_preload_libraries.includes('vsm'), `${set}: vsm is not preloaded`);
	must(cluster.spec.bootstrap.initdb.postInitApplicationSQL.includes('CREATE EXTENSION vsm'), `${set}: no extension is created`);
	must(find('ImageCatalog', cluster.spec.imageCatalogRef.name).spec.images.some(i => i.major === cluster.spec.imageCatalogRef.major),
		`${set}: the catalog has no image of that major`);

	const config = find('ConfigMap', 'vsm-gateway').data;
	const pooler = all.find(o => o.kind === 'Pooler');
	must(config.DATABASE_HOST === (pooler?.metadata.name ?? `${cluster.metadata.name}-rw`), `${set}: the gateways do not ask the cluster's primary`);
	must((config.PGTARGETSESSIONATTRS === 'read-write') === !pooler, `${set}: what the gateways ask of their server does not fit`);
	if (pooler)
	{
		const pods = { 'cnpg.io/poolerName': pooler.metadata.name };
		const allows = peers => peers.some(p => p.podSelector && canonical(p.podSelector.matchLabels) === canonical(pods));
		must(pooler.spec.cluster.name === cluster.metadata.name && pooler.spec.type === 'rw', `${set}: the pooler does not ask the cluster's primary`);
		must(cluster.spec.certificates.serverAltDNSNames.includes(config.DATABASE_HOST), `${set}: the certificate does not name the pooler`);
		must(allows(find('NetworkPolicy', 'vsm-db').spec.ingress[0].from), `${set}: the pooler may not reach the servers`);
		must(allows(find('NetworkPolicy', 'vsm-gateway').spec.egress[0].to), `${set}: the gateways may not reach the pooler`);
	}
	const help = execFileSync(process.env.VSM_GATEWAY ?? path.join(here, '../../build/vsm-gateway'), ['--help'], { encoding: 'utf8' });
	for (const name of [...Object.keys(config), ...container.env.map(e => e.name)].filter(name => name.startsWith('VSM_GATEWAY_')))
		must(help.includes(`--${name.slice(12).toLowerCase().replaceAll('_', '-')}=`), `${set}: the gateway has no option for ${name}`);
	for (const probe of [['livenessProbe', '/live'], ['readinessProbe', '/ready']])
		must(container[probe[0]].httpGet.path === probe[1], `${set}: ${probe[0]} is not ${probe[1]}`);
	must(container.securityContext.readOnlyRootFilesystem && container.securityContext.capabilities.drop.includes('ALL')
		&& deployment.spec.template.spec.securityContext.runAsUser === 10001, `${set}: a gateway may do too much`);

	// A secret in Git is no secret; the example's are named so.
	for (const secret of all.filter(o => o.kind === 'Secret'))
		must(tried && Object.values(secret.data).every(v => /^(example-|vsm_)/.test(Buffer.from(v, 'base64').toString())),
			`${set}: secret ${secret.metadata.name} has contents`);

	const rules = find('PrometheusRule', 'vsm').spec.groups;
	const plain = documents(fs.readFileSync(path.join(root, '../prometheus/rules/vsm.yml'), 'utf8'), 'rules')[0].groups;
	for (const group of plain)
		must(canonical(rules.find(g => g.name === group.name)) === canonical(group), `${set}: group ${group.name} of rules.yaml is not that of docker/prometheus/rules`);
}

for (const finding of findings)
	console.error(finding);
console.log(`${n} objects in ${Object.keys(sets).length} sets, ${findings.length} findings`);
process.exit(findings.length > 0 ? 1 : 0);
