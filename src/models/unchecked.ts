/**
 * What stands for zod in the tokenize.js of an export: every schema takes every state as it is. The states of an export were
 * checked when it was made, and zod would be nine tenths of the file.
 */
const schema: unknown = new Proxy(() => {}, {
  get: (_target, key) => (key === 'safeParse' ? (data: unknown) => ({ success: true, data }) : schema),
  apply: () => schema,
});

export { schema as z };
