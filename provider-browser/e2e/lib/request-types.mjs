// Makes ../types/requests.d.ts: the types of what the page sends, from the API's
// OpenAPI document. It is made before each check of types, and not kept.

import { readFile, writeFile } from 'node:fs/promises';

import openapiTS, { astToString } from 'openapi-typescript';

const document = JSON.parse(await readFile(new URL('../../../docs/openapi.json', import.meta.url), 'utf8'));
// "Either tasks or count" can't be said as a type of an object that has both.
const { NewJob } = document.components.schemas;
NewJob.allOf = NewJob.allOf.filter((part) => part.properties);
document.paths = {};
const types = astToString(await openapiTS(document));
await writeFile(new URL('../../types/requests.d.ts', import.meta.url), types);
