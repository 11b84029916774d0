/**
 * As much of JSON Schema (draft 2020-12) as our own schemas use. A keyword that is not known is an error, so that none is
 * passed over in silence; so is a member that the schema does not name, because whoever adds one has to describe it.
 *
 * @module
 */

/** A schema, or a part of one. */
export interface Schema {
  readonly [keyword: string]: unknown;
}

const ANNOTATIONS = new Set(["$schema", "$defs", "title", "description"]);

/** Everything in which `value` breaks `schema`; empty if it is valid. */
export function violations(schema: Schema, value: unknown, root: Schema = schema, place = "$"): string[] {
  return Object.entries(schema).flatMap(([keyword, rule]) => {
    if (ANNOTATIONS.has(keyword)) return [];
    const check = CHECKS[keyword];
    if (check === undefined) throw new Error(`unknown keyword ${keyword}`);
    return check({ rule, value, root, place, schema });
  });
}

interface Check {
  readonly rule: unknown;
  readonly value: unknown;
  readonly root: Schema;
  readonly place: string;
  readonly schema: Schema;
}

const CHECKS: Readonly<Record<string, (check: Check) => string[]>> = {
  $ref: ({ rule, value, root, place }) => {
    const name = String(rule).replace("#/$defs/", "");
    const target = (root.$defs as Record<string, Schema> | undefined)?.[name];
    if (target === undefined) throw new Error(`no definition ${name}`);
    return violations(target, value, root, place);
  },
  const: ({ rule, value, place }) => (value === rule ? [] : [`${place} is not ${rule}`]),
  enum: ({ rule, value, place }) => ((rule as unknown[]).includes(value) ? [] : [`${place} is ${value}`]),
  type: ({ rule, value, place }) => (hasType(String(rule), value) ? [] : [`${place} is no ${rule}`]),
  minimum: ({ rule, value, place }) => (Number(value) >= Number(rule) ? [] : [`${place} is ${value}`]),
  maximum: ({ rule, value, place }) => (Number(value) <= Number(rule) ? [] : [`${place} is ${value}`]),
  pattern: ({ rule, value, place }) => (new RegExp(String(rule)).test(String(value)) ? [] : [`${place} is ${value}`]),
  maxItems: ({ rule, value, place }) =>
    (value as unknown[]).length <= Number(rule) ? [] : [`${place} has too many items`],
  items: ({ rule, value, root, place }) =>
    (value as unknown[]).flatMap((item, i) => violations(rule as Schema, item, root, `${place}[${i}]`)),
  required: ({ rule, value, place }) =>
    (rule as string[]).filter((name) => !Object.hasOwn(value as object, name)).map((name) => `${place} lacks ${name}`),
  properties: ({ rule, value, root, place }) =>
    Object.entries(value as object).flatMap(([name, member]) => {
      const schema = (rule as Record<string, Schema>)[name];
      return schema === undefined
        ? [`${place}.${name} is not described`]
        : violations(schema, member, root, `${place}.${name}`);
    }),
};

function hasType(type: string, value: unknown): boolean {
  switch (type) {
    case "object":
      return typeof value === "object" && value !== null && !Array.isArray(value);
    case "array":
      return Array.isArray(value);
    case "integer":
      return Number.isInteger(value);
    default:
      return typeof value === type;
  }
}
