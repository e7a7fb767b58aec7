/** What a body may hold is said in JSON Schema, which fastify compiles; what is wrong with one is said here, in words. */
import type { FastifySchemaValidationError } from 'fastify/types/schema.js';
import { nearestName } from '../arguments/known-names.js';
import { show } from '../arguments/show.js';

/** Ajv's options: a body is taken as it is, never bent into what the schema wants. */
export const ajvOptions = {
  coerceTypes: false,
  removeAdditional: false,
  useDefaults: false,
  allErrors: false,
  allowUnionTypes: true,
  // The message names the value and the fields there are.
  verbose: true,
} as const;

/** A schema for a JSON object with these fields and no others. */
export function objectSchema(
  properties: Readonly<Record<string, object>>,
  required: readonly string[],
): {
  type: 'object';
  properties: Readonly<Record<string, object>>;
  required: readonly string[];
  additionalProperties: false;
} {
  return { type: 'object', properties, required, additionalProperties: false };
}

interface VerboseError extends FastifySchemaValidationError {
  readonly data?: unknown;
  readonly parentSchema?: { readonly properties?: object };
}

/** The first thing that is wrong with a body, and the field it is in. */
export function requestProblem(errors: readonly FastifySchemaValidationError[]): {
  message: string;
  field: string | null;
} {
  const [error] = errors as readonly VerboseError[];
  if (error === undefined) return { message: 'the body is not what this route takes', field: null };
  const { keyword, instancePath, params, data, parentSchema } = error;
  const path = instancePath.slice(1).replaceAll('/', '.');
  const field = path === '' ? null : path;
  const what = field ?? 'the body';
  switch (keyword) {
    case 'required':
      return {
        message: `${join(field, params.missingProperty)} is missing`,
        field: join(field, params.missingProperty),
      };
    case 'additionalProperties': {
      const name = String(params.additionalProperty);
      const known = Object.keys(parentSchema?.properties ?? {});
      const nearest = nearestName(name, known);
      const hint = nearest === undefined ? `the fields are ${known.join(', ')}` : `did you mean '${nearest}'?`;
      return { message: `unknown field ${show(name)}; ${hint}`, field: join(field, name) };
    }
    case 'enum':
      return {
        message: `${what} must be one of ${(params.allowedValues as unknown[]).map(show).join(', ')}, not ${show(data)}`,
        field,
      };
    case 'type':
      return { message: `${what} must be ${kinds(params.type)}, not ${show(data)}`, field };
    default:
      return { message: `${what} ${error.message ?? 'is not what this route takes'}`, field };
  }
}

function join(field: string | null, name: unknown): string {
  return field === null ? String(name) : `${field}.${String(name)}`;
}

const names: Readonly<Record<string, string>> = {
  object: 'a JSON object',
  string: 'a string',
  boolean: 'true or false',
  integer: 'a whole number',
  number: 'a number',
  array: 'an array',
};

function kinds(type: unknown): string {
  const list = (Array.isArray(type) ? type : [type]) as string[];
  return list.map((name) => names[name] ?? name).join(' or ');
}
