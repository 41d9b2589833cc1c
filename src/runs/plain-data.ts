/** Plain data with typed arrays in it, as JSON beside tensors. */
import { InputError } from '../errors.js';
import { type HostTensor, hostTensor } from '../tensor/tensor.js';

const types = { Float64Array, Float32Array, Int32Array, Uint8Array } as const;
type TypeName = keyof typeof types;
type Typed = InstanceType<(typeof types)[TypeName]>;

/** Where a typed array stood. */
interface Reference {
  readonly $tensor: string;
  readonly type: TypeName;
}

const typeName = (value: object): TypeName | undefined =>
  (Object.keys(types) as TypeName[]).find((name) => value instanceof types[name]);

/**
 * The same value as JSON, each typed array replaced by the name of a tensor. A tensor holds float32 or int32 as they are,
 * and of the others the bytes: int32[2 · n] for float64[n].
 */
export function packData(
  value: unknown,
  name: string,
): { readonly json: unknown; readonly tensors: Record<string, HostTensor> } {
  const tensors: Record<string, HostTensor> = {};
  const pack = (part: unknown, path: string): unknown => {
    if (typeof part !== 'object' || part === null) return part;
    const type = typeName(part);
    if (type !== undefined) {
      tensors[path] = toTensor(part as Typed);
      return { $tensor: path, type } satisfies Reference;
    }
    if (Array.isArray(part)) return part.map((own, i) => pack(own, `${path}.${i}`));
    return Object.fromEntries(Object.entries(part).map(([key, own]) => [key, pack(own, `${path}.${key}`)]));
  };
  return { json: pack(value, name), tensors };
}

function toTensor(array: Typed): HostTensor {
  if (array instanceof Float32Array) return hostTensor('float32', [array.length], array);
  if (array instanceof Int32Array) return hostTensor('int32', [array.length], array);
  if (array instanceof Uint8Array) return hostTensor('bool', [array.length], array);
  const own = array.slice();
  return hostTensor('int32', [2 * own.length], new Int32Array(own.buffer));
}

/** What {@link packData} packed. Throws InputError where a tensor is missing or of no type that there is. */
export function unpackData(json: unknown, tensors: Readonly<Record<string, HostTensor>>): unknown {
  if (typeof json !== 'object' || json === null) return json;
  if (Array.isArray(json)) return json.map((own) => unpackData(own, tensors));
  if ('$tensor' in json) {
    const { $tensor, type } = json as Reference;
    if (!Object.hasOwn(tensors, $tensor)) throw new InputError(`the model file has no tensor ${$tensor}`);
    const { data } = tensors[$tensor];
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength).slice();
    if (!Object.hasOwn(types, type) || bytes.length % types[type].BYTES_PER_ELEMENT !== 0)
      throw new InputError(`the model file has a tensor ${$tensor} that is no ${type}`);
    return new types[type](bytes.buffer);
  }
  return Object.fromEntries(Object.entries(json).map(([key, own]) => [key, unpackData(own, tensors)]));
}
