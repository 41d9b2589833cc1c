// src/errors.ts
var LacunaError = class extends Error {
  exitCode;
  constructor(message, { exitCode = 1, cause } = {}) {
    super(message, { cause });
    this.name = "LacunaError";
    this.exitCode = exitCode;
  }
};
var InputError = class extends LacunaError {
  constructor(message, options = {}) {
    super(message, { exitCode: 2, ...options });
    this.name = "InputError";
  }
};

// src/graph/size.ts
function parse(size) {
  if (typeof size === "number") return { coefficient: size, names: [] };
  const factors = size.split("*");
  const names = factors.filter((factor) => !/^\d+$/.test(factor));
  const numbers2 = factors.filter((factor) => /^\d+$/.test(factor)).map(Number);
  return { coefficient: numbers2.reduce((a, b) => a * b, 1), names };
}
function format({ coefficient, names }) {
  if (names.length === 0 || coefficient === 0) return coefficient;
  return [...coefficient === 1 ? [] : [String(coefficient)], ...names.sort()].join("*");
}
function productOfSizes(shape) {
  const factors = shape.map(parse);
  return format({
    coefficient: factors.reduce((product, factor) => product * factor.coefficient, 1),
    names: factors.flatMap((factor) => factor.names)
  });
}
function divideSizes(total, part) {
  const dividend = parse(total);
  const divisor = parse(part);
  const names = [...dividend.names];
  for (const name of divisor.names) {
    const index = names.indexOf(name);
    if (index < 0) return void 0;
    names.splice(index, 1);
  }
  const coefficient = dividend.coefficient / divisor.coefficient;
  return Number.isInteger(coefficient) ? format({ coefficient, names }) : void 0;
}
function staticSize(size) {
  if (typeof size === "number") return size;
  throw new Error(`expected a size that is known while the graph is built, got "${size}"`);
}
function sameShape(a, b) {
  return a.length === b.length && a.every((size, axis) => size === b[axis]);
}
function broadcastShapes(a, b) {
  const rank = Math.max(a.length, b.length);
  const result2 = [];
  for (let axis = 0; axis < rank; axis++) {
    const sizeA = a[axis - rank + a.length] ?? 1;
    const sizeB = b[axis - rank + b.length] ?? 1;
    if (sizeA !== sizeB && sizeA !== 1 && sizeB !== 1) return void 0;
    result2.push(sizeA === 1 ? sizeB : sizeA);
  }
  return result2;
}
var LONG_SUM = 4096;
function partsOfSum(terms) {
  let parts = 1;
  if (typeof terms !== "number" || terms < LONG_SUM) return parts;
  while (parts < 64 && terms % (2 * parts) === 0) parts *= 2;
  return parts;
}

// src/graph/value.ts
var nextId = 0;
var scopes = [];
function scope(name, build) {
  scopes.push(name);
  try {
    return build();
  } finally {
    scopes.pop();
  }
}
function outerScope(name, build) {
  scopes.unshift(name);
  try {
    return build();
  } finally {
    scopes.shift();
  }
}
function scopeOfNode(node, build) {
  const outer = scopes.splice(0, scopes.length, ...node.scope === "" ? [] : [node.scope]);
  try {
    return build();
  } finally {
    scopes.splice(0, scopes.length, ...outer);
  }
}
var GRADIENT_SCOPE = "gradient";
var scopeOfGradient = (node, build) => scopeOfNode(node, () => {
  scopes.unshift(GRADIENT_SCOPE);
  return build();
});
var scoped = (name) => [...scopes, name].join(".");
function formatType({ dtype, shape }) {
  return `${dtype}[${shape.join(", ")}]`;
}
function withOutputs(types, make) {
  const outputs = [];
  const node = make({ id: nextId++, scope: scopes.join("."), outputs });
  types.forEach(({ dtype, shape }, output) => {
    outputs.push({ dtype, shape, node, output });
  });
  return node;
}
var shared;
function sharingLeaves(build) {
  const outer = shared;
  shared = outer ?? /* @__PURE__ */ new Map();
  try {
    return build();
  } finally {
    shared = outer;
  }
}
function leaf(kind, name, type, details, make) {
  const declared = `${formatType(type)} ${JSON.stringify(details)}`;
  const known = shared?.get(`${kind} ${name}`);
  if (known && known.declared !== declared)
    throw new Error(
      `${kind} ${name}: is ${known.declared} already, not ${declared}; give one of them another name`
    );
  const value = known?.value ?? make().outputs[0];
  shared?.set(`${kind} ${name}`, { value, declared });
  return value;
}
function input(name, dtype, shape) {
  return leaf(
    "input",
    name,
    { dtype, shape },
    {},
    () => withOutputs([{ dtype, shape }], (base) => ({ kind: "input", name, inputs: [], ...base }))
  );
}
function parameter(name, shape, initializer, { decay = true } = {}) {
  const type = { dtype: "float32", shape };
  const full = scoped(name);
  return leaf(
    "parameter",
    full,
    type,
    { initializer, decay },
    () => withOutputs([type], (base) => ({
      kind: "parameter",
      name: full,
      initializer,
      decay,
      inputs: [],
      ...base
    }))
  );
}
function constant(tensor) {
  return withOutputs([tensor], (base) => ({ kind: "constant", tensor, inputs: [], ...base })).outputs[0];
}
function apply(primitive, inputs, attributes) {
  let types;
  try {
    types = primitive.infer(inputs, attributes);
  } catch (error) {
    const place = scopes.length > 0 ? ` in ${scopes.join(".")}` : "";
    const operands = inputs.map(formatType).join(" and ");
    throw new Error(`${primitive.name} of ${operands}${place}: ${error.message}`, {
      cause: error
    });
  }
  return withOutputs(types, (base) => ({
    kind: "operation",
    primitive,
    attributes,
    inputs,
    ...base
  })).outputs;
}
function reachableNodes(values) {
  const seen = /* @__PURE__ */ new Set();
  const pending = values.map((value) => value.node);
  for (let node = pending.pop(); node !== void 0; node = pending.pop()) {
    if (seen.has(node)) continue;
    seen.add(node);
    for (const value of node.inputs) pending.push(value.node);
  }
  return [...seen].sort((a, b) => a.id - b.id);
}
function parametersOf(values) {
  const parameters = reachableNodes(values).filter((node) => node.kind === "parameter");
  const byName = /* @__PURE__ */ new Map();
  for (const node of parameters) {
    if (byName.has(node.name))
      throw new Error(`two parameters are named ${node.name}; share the value instead`);
    byName.set(node.name, node);
  }
  return parameters;
}

// src/tensor/tensor.ts
function elementCount(shape) {
  return shape.reduce((product, size) => product * size, 1);
}
function hostTensor(dtype, shape, data) {
  if (data.length !== elementCount(shape)) {
    throw new Error(
      `hostTensor: ${dtype}[${shape.join(", ")}] holds ${elementCount(shape)} elements, got ${data.length}`
    );
  }
  return { dtype, shape, data };
}

// src/graph/ops/constants.ts
function scalar(value) {
  return constant(hostTensor("float32", [], Float32Array.of(value)));
}
function iota(length) {
  return constant(
    hostTensor(
      "int32",
      [length],
      Int32Array.from({ length }, (_, i) => i)
    )
  );
}
function filled(shape, value) {
  const count3 = shape.reduce((product, size) => product * size, 1);
  return constant(hostTensor("float32", shape, new Float32Array(count3).fill(value)));
}

// src/graph/ops/reduction.ts
function inferReduction([x], { axes, keepSizes }) {
  requireDtype(x, "float32");
  for (const axis of axes) {
    if (!Number.isInteger(axis) || axis < 0 || axis >= x.shape.length)
      throw new Error(`there is no axis ${axis}`);
  }
  const shape = keepSizes ? x.shape.map((size, axis) => axes.includes(axis) ? 1 : size) : x.shape.filter((_, axis) => !axes.includes(axis));
  return [{ dtype: x.dtype, shape }];
}
var lowerReduction = (operator, axesAsInput) => (lowering, [x], results, { inputs: [{ shape }], attributes: { axes, keepSizes } }) => {
  const keepdims = keepSizes ? 1 : 0;
  const leading = axes.length > 0 && axes.every((axis, i) => axis === i) && !keepSizes;
  const terms = productOfSizes(shape.slice(0, axes.length));
  const parts = operator === "ReduceSum" && lowering.device === "webgpu" && leading ? partsOfSum(terms) : 1;
  if (parts > 1) {
    const rest = shape.slice(axes.length).map(staticSize);
    const sizes = lowering.int64([parts, Number(terms) / parts, ...rest]);
    const partial = lowering.emit("ReduceSum", [
      ...lowering.emit("Reshape", [x, sizes]),
      lowering.int64([1])
    ]);
    lowering.emit("ReduceSum", [...partial, lowering.int64([0, 1])], { keepdims }, results);
    return;
  }
  if (axesAsInput) lowering.emit(operator, [x, lowering.int64(axes)], { keepdims }, results);
  else lowering.emit(operator, [x], { axes, keepdims }, results);
};
var withKeptSizes = (reduced, operand, axes) => reshape(
  reduced,
  operand.shape.map((size, axis) => axes.includes(axis) ? 1 : size)
);
var reduction = {
  sum: {
    name: "sum",
    infer: inferReduction,
    lower: lowerReduction("ReduceSum", true),
    gradient: ({ inputs: [x], attributes: { axes } }, [g]) => [expand(withKeptSizes(g, x, axes), x.shape)]
  },
  maximum: {
    name: "maximum",
    infer: inferReduction,
    lower: lowerReduction("ReduceMax", true),
    // Shared equally among ties.
    gradient: ({ inputs: [x], outputs: [result2], attributes: { axes } }, [g]) => {
      const largest = cast(equal(x, withKeptSizes(result2, x, axes)), "float32");
      const share2 = divide(largest, sum(largest, axes, { keepSizes: true }));
      return [multiply(share2, withKeptSizes(g, x, axes))];
    }
  }
};
var normalized = (x, axes) => axes.map((axis) => axis < 0 ? axis + x.shape.length : axis);
function sum(x, axes, { keepSizes = false } = {}) {
  return axes.length === 0 ? x : apply(reduction.sum, [x], { axes: normalized(x, axes), keepSizes })[0];
}
function maximum(x, axes, { keepSizes = false } = {}) {
  return apply(reduction.maximum, [x], { axes: normalized(x, axes), keepSizes })[0];
}
function mean(x, axes, options = {}) {
  const count3 = normalized(x, axes).reduce((product, axis) => product * staticSize(x.shape[axis]), 1);
  return multiply(sum(x, axes, options), scalar(1 / count3));
}
var sumAll = (x) => sum(
  x,
  x.shape.map((_, axis) => axis)
);
function reduceTo(gradient, shape) {
  const offset = gradient.shape.length - shape.length;
  const axes = gradient.shape.flatMap((size, axis) => {
    const target = axis < offset ? void 0 : shape[axis - offset];
    return target === void 0 || target === 1 && size !== 1 ? [axis] : [];
  });
  if (axes.length === 0) return offset === 0 ? gradient : reshape(gradient, shape);
  return reshape(sum(gradient, axes), shape);
}

// src/graph/ops/layout.ts
function runtimeShape(shape, name) {
  const sizes = shape.map((size) => typeof size === "number" ? size : -1);
  if (sizes.filter((size) => size === -1).length > 1)
    throw new Error(`${name}: only one size may be unknown, got [${shape.join(", ")}]`);
  return sizes;
}
var layout = {
  reshape: {
    name: "reshape",
    infer: ([x], { shape }) => {
      if (productOfSizes(x.shape) !== productOfSizes(shape))
        throw new Error(
          `cannot become [${shape.join(", ")}], which has ${productOfSizes(shape)} elements instead of ${productOfSizes(x.shape)}`
        );
      return [{ dtype: x.dtype, shape }];
    },
    lower: (lowering, [x], results, { attributes: { shape } }) => {
      lowering.emit("Reshape", [x, lowering.int64(runtimeShape(shape, "reshape"))], void 0, results);
    },
    gradient: ({ inputs: [x] }, [g]) => [reshape(g, x.shape)]
  },
  transpose: {
    name: "transpose",
    infer: ([x], { permutation: permutation2 }) => {
      const axes = [...permutation2].sort((a, b) => a - b);
      if (axes.length !== x.shape.length || axes.some((axis, index) => axis !== index))
        throw new Error(`[${permutation2.join(", ")}] is not a permutation of its axes`);
      return [{ dtype: x.dtype, shape: permutation2.map((axis) => x.shape[axis]) }];
    },
    lower: (lowering, operands, results, { attributes: { permutation: permutation2 } }) => {
      lowering.emit("Transpose", operands, { perm: permutation2 }, results);
    },
    gradient: ({ attributes: { permutation: permutation2 } }, [g]) => {
      const inverse = permutation2.map((_, axis) => permutation2.indexOf(axis));
      return [transpose(g, inverse)];
    }
  },
  /** Stretches sizes of 1, and adds axes on the left. */
  expand: {
    name: "expand",
    infer: ([x], { shape }) => {
      const joined2 = broadcastShapes(x.shape, shape);
      if (joined2 === void 0 || !sameShape(joined2, shape))
        throw new Error(`does not stretch to [${shape.join(", ")}]`);
      return [{ dtype: x.dtype, shape }];
    },
    lower: (lowering, [x], results, { attributes: { shape } }) => {
      const sizes = lowering.int64(shape.map(staticSize));
      lowering.emit("Expand", [x, sizes], void 0, results);
    },
    gradient: ({ inputs: [x] }, [g]) => [reduceTo(g, x.shape)]
  },
  slice: {
    name: "slice",
    infer: ([x], { axis, start, end }) => {
      const size = staticSize(x.shape[axis] ?? 0);
      if (!(Number.isInteger(start) && Number.isInteger(end) && 0 <= start && start < end && end <= size))
        throw new Error(`${start} \u2026 ${end} is not a part of axis ${axis}`);
      return [{ dtype: x.dtype, shape: x.shape.map((old, index) => index === axis ? end - start : old) }];
    },
    lower: (lowering, [x], results, { attributes: { axis, start, end } }) => {
      const bounds = [[start], [end], [axis]].map((values) => lowering.int64(values));
      lowering.emit("Slice", [x, ...bounds], void 0, results);
    },
    gradient: ({ inputs: [x], attributes: { axis, start, end } }, [g]) => [
      pad(g, axis, start, staticSize(x.shape[axis]) - end)
    ]
  },
  pad: {
    name: "pad",
    infer: ([x], { axis, before, after: after2 }) => {
      if (before < 0 || after2 < 0 || axis < 0 || axis >= x.shape.length)
        throw new Error(`cannot add ${before} and ${after2} elements to axis ${axis}`);
      return [
        {
          dtype: x.dtype,
          shape: x.shape.map((size, index) => index === axis ? staticSize(size) + before + after2 : size)
        }
      ];
    },
    lower: (lowering, [x], results, { attributes: { axis, before, after: after2 }, inputs }) => {
      const rank = inputs[0].shape.length;
      const pads = new Array(2 * rank).fill(0);
      pads[axis] = before;
      pads[rank + axis] = after2;
      lowering.emit("Pad", [x, lowering.int64(pads)], void 0, results);
    },
    gradient: ({ inputs: [x], attributes: { axis, before } }, [g]) => [
      slice(g, axis, before, before + staticSize(x.shape[axis]))
    ]
  },
  concatenate: {
    name: "concatenate",
    infer: (inputs, { axis }) => {
      const [first, ...rest] = inputs;
      for (const x of rest) {
        if (x.dtype !== first.dtype || x.shape.length !== first.shape.length || x.shape.some((size, i) => i !== axis && size !== first.shape[i]))
          throw new Error(`dtypes and all sizes but that of axis ${axis} must be equal`);
      }
      const total = inputs.reduce((length, x) => length + staticSize(x.shape[axis]), 0);
      return [{ dtype: first.dtype, shape: first.shape.map((size, i) => i === axis ? total : size) }];
    },
    lower: (lowering, operands, results, { attributes: { axis } }) => {
      lowering.emit("Concat", operands, { axis }, results);
    },
    gradient: ({ inputs, attributes: { axis } }, [g]) => {
      let start = 0;
      return inputs.map((x) => {
        const end = start + staticSize(x.shape[axis]);
        const part = slice(g, axis, start, end);
        start = end;
        return part;
      });
    }
  }
};
var isReshape = (node) => node.kind === "operation" && node.primitive.name === "reshape";
function reshape(x, shape) {
  const unknown = shape.indexOf(-1);
  const target = [...shape];
  if (unknown >= 0) {
    const rest = productOfSizes(target.filter((_, axis) => axis !== unknown));
    target[unknown] = divideSizes(productOfSizes(x.shape), rest) ?? -1;
  }
  const source = isReshape(x.node) ? x.node.inputs[0] : x;
  return sameShape(source.shape, target) ? source : apply(layout.reshape, [source], { shape: target })[0];
}
var transpose = (x, permutation2) => apply(layout.transpose, [x], { permutation: permutation2 })[0];
var expand = (x, shape) => sameShape(x.shape, shape) ? x : apply(layout.expand, [x], { shape })[0];
var slice = (x, axis, start, end) => apply(layout.slice, [x], { axis, start, end })[0];
var pad = (x, axis, before, after2) => before === 0 && after2 === 0 ? x : apply(layout.pad, [x], { axis, before, after: after2 })[0];
var concatenate = (values, axis) => values.length === 1 ? values[0] : apply(layout.concatenate, values, { axis })[0];

// src/graph/ops/elementwise.ts
function requireDtype(value, ...allowed) {
  if (!allowed.includes(value.dtype))
    throw new Error(`expected ${allowed.join(" or ")}, got ${formatType(value)}`);
}
function broadcast(...values) {
  return values.slice(1).reduce((shape, value) => {
    const joined2 = broadcastShapes(shape, value.shape);
    if (joined2 === void 0) throw new Error(`shapes do not broadcast`);
    return joined2;
  }, values[0].shape);
}
function inferSameDtype(inputs, result2) {
  const [a, b] = inputs;
  if (a.dtype !== b.dtype) throw new Error(`dtypes ${a.dtype} and ${b.dtype} differ`);
  if (result2 === void 0) requireDtype(a, "float32", "int32", "int64");
  return [{ dtype: result2 ?? a.dtype, shape: broadcast(a, b) }];
}
var lowerTo = (operator) => (lowering, operands, results) => {
  lowering.emit(operator, operands, void 0, results);
};
var binary = (name, operator, derivative) => ({
  name,
  infer: (inputs) => inferSameDtype(inputs),
  lower: lowerTo(operator),
  gradient: ({ inputs: [a, b], outputs: [result2] }, [gradient]) => {
    const [gradientA, gradientB] = derivative(a, b, gradient, result2);
    return [reduceTo(gradientA, a.shape), reduceTo(gradientB, b.shape)];
  }
});
var unary = (name, operator, derivative) => ({
  name,
  infer: ([x]) => {
    requireDtype(x, "float32");
    return [{ dtype: "float32", shape: x.shape }];
  },
  lower: lowerTo(operator),
  gradient: ({ inputs: [x], outputs: [result2] }, [gradient]) => [derivative(x, gradient, result2)]
});
var comparison = (name, operator) => ({
  name,
  infer: (inputs) => inferSameDtype(inputs, "bool"),
  lower: lowerTo(operator),
  gradient: "none"
});
var normalDensity = (x) => multiply(exp(multiply(multiply(x, x), scalar(-0.5))), scalar(1 / Math.sqrt(2 * Math.PI)));
var normalDistribution = (x) => multiply(add(erf(multiply(x, scalar(Math.SQRT1_2))), scalar(1)), scalar(0.5));
var elementwise = {
  add: binary("add", "Add", (_a, _b, g) => [g, g]),
  subtract: binary("subtract", "Sub", (_a, _b, g) => [g, negate(g)]),
  multiply: binary("multiply", "Mul", (a, b, g) => [multiply(g, b), multiply(g, a)]),
  divide: binary("divide", "Div", (_a, b, g, result2) => [
    divide(g, b),
    negate(divide(multiply(g, result2), b))
  ]),
  negate: unary("negate", "Neg", (_x, g) => negate(g)),
  exp: unary("exp", "Exp", (_x, g, result2) => multiply(g, result2)),
  log: unary("log", "Log", (x, g) => divide(g, x)),
  sqrt: unary("sqrt", "Sqrt", (_x, g, result2) => divide(multiply(g, scalar(0.5)), result2)),
  erf: unary(
    "erf",
    "Erf",
    (x, g) => multiply(g, multiply(exp(negate(multiply(x, x))), scalar(2 / Math.sqrt(Math.PI))))
  ),
  tanh: unary("tanh", "Tanh", (_x, g, result2) => multiply(g, subtract(scalar(1), multiply(result2, result2)))),
  sigmoid: unary(
    "sigmoid",
    "Sigmoid",
    (_x, g, result2) => multiply(g, multiply(result2, subtract(scalar(1), result2)))
  ),
  softplus: unary("softplus", "Softplus", (x, g) => multiply(g, sigmoid(x))),
  // A product with 0 or 1 is faster than a choice, and only the result has to be kept.
  relu: unary("relu", "Relu", (_x, g, result2) => multiply(g, cast(less(scalar(0), result2), "float32"))),
  // One pass forward; its pattern of primitives would keep four intermediates alive.
  gelu: unary(
    "gelu",
    "Gelu",
    (x, g) => multiply(g, add(normalDistribution(x), multiply(x, normalDensity(x))))
  ),
  equal: comparison("equal", "Equal"),
  less: comparison("less", "Less"),
  logicalNot: {
    name: "logicalNot",
    infer: ([x]) => {
      requireDtype(x, "bool");
      return [{ dtype: "bool", shape: x.shape }];
    },
    lower: lowerTo("Not"),
    gradient: "none"
  },
  logicalAnd: {
    name: "logicalAnd",
    infer: ([a, b]) => {
      requireDtype(a, "bool");
      return inferSameDtype([a, b], "bool");
    },
    lower: lowerTo("And"),
    gradient: "none"
  },
  where: {
    name: "where",
    infer: ([condition, a, b]) => {
      requireDtype(condition, "bool");
      return [{ dtype: inferSameDtype([a, b])[0].dtype, shape: broadcast(condition, a, b) }];
    },
    lower: lowerTo("Where"),
    gradient: ({ inputs: [condition, a, b] }, [g]) => [
      void 0,
      reduceTo(where(condition, g, scalar(0)), a.shape),
      reduceTo(where(condition, scalar(0), g), b.shape)
    ]
  },
  cast: {
    name: "cast",
    infer: ([x], { to }) => [{ dtype: to, shape: x.shape }],
    lower: (lowering, operands, results, { attributes: { to } }) => {
      lowering.emit("Cast", operands, { to: { float32: 1, int32: 6, int64: 7, bool: 9 }[to] }, results);
    },
    gradient: "none"
  },
  stopGradient: {
    name: "stopGradient",
    infer: ([x]) => [{ dtype: x.dtype, shape: x.shape }],
    lower: lowerTo("Identity"),
    gradient: "none"
  }
};
var none = {};
var add = (a, b) => apply(elementwise.add, [a, b], none)[0];
var subtract = (a, b) => apply(elementwise.subtract, [a, b], none)[0];
var multiply = (a, b) => apply(elementwise.multiply, [a, b], none)[0];
var divide = (a, b) => apply(elementwise.divide, [a, b], none)[0];
var negate = (x) => apply(elementwise.negate, [x], none)[0];
var exp = (x) => apply(elementwise.exp, [x], none)[0];
var log = (x) => apply(elementwise.log, [x], none)[0];
var sqrt = (x) => apply(elementwise.sqrt, [x], none)[0];
var erf = (x) => apply(elementwise.erf, [x], none)[0];
var sigmoid = (x) => apply(elementwise.sigmoid, [x], none)[0];
var relu = (x) => apply(elementwise.relu, [x], none)[0];
var gelu = (x) => apply(elementwise.gelu, [x], none)[0];
var equal = (a, b) => apply(elementwise.equal, [a, b], none)[0];
var less = (a, b) => apply(elementwise.less, [a, b], none)[0];
var logicalNot = (x) => apply(elementwise.logicalNot, [x], none)[0];
var logicalAnd = (a, b) => apply(elementwise.logicalAnd, [a, b], none)[0];
var logicalOr = (a, b) => logicalNot(logicalAnd(logicalNot(a), logicalNot(b)));
var where = (condition, a, b) => apply(elementwise.where, [condition, a, b], none)[0];
var cast = (x, to) => x.dtype === to ? x : apply(elementwise.cast, [x], { to })[0];
var stopGradient = (x) => apply(elementwise.stopGradient, [x], none)[0];
var zerosOf = (x) => expand(scalar(0), x.shape);

// src/graph/ops/matrix.ts
var swapLastTwo = (rank) => Array.from({ length: rank }, (_, axis) => axis < rank - 2 ? axis : 2 * rank - 3 - axis);
function lowerTransposed(lowering, operand, rank) {
  return lowering.emit("Transpose", [operand], { perm: swapLastTwo(rank) })[0];
}
function lowerInParts(lowering, operands, results, inputs, parts) {
  const [a, b] = operands.map((operand, i) => {
    const [rows, columns] = inputs[i].shape.map(staticSize);
    return lowering.emit("Reshape", [operand, lowering.int64([parts, rows / parts, columns])])[0];
  });
  const products = lowering.emit("MatMul", [lowerTransposed(lowering, a, 3), b]);
  lowering.emit("ReduceSum", [...products, lowering.int64([0])], { keepdims: 0 }, results);
}
var matrix = {
  matmul: {
    name: "matmul",
    infer: ([a, b], { transposeA, transposeB }) => {
      requireDtype(a, "float32");
      requireDtype(b, "float32");
      if (a.shape.length < 2 || b.shape.length < 2) throw new Error("both need at least two axes");
      const rows = a.shape.at(transposeA ? -1 : -2);
      const innerA = a.shape.at(transposeA ? -2 : -1);
      const innerB = b.shape.at(transposeB ? -1 : -2);
      const columns = b.shape.at(transposeB ? -2 : -1);
      if (innerA !== innerB) throw new Error(`inner sizes ${innerA} and ${innerB} differ`);
      const batch2 = broadcastShapes(a.shape.slice(0, -2), b.shape.slice(0, -2));
      if (batch2 === void 0) throw new Error("leading sizes do not broadcast");
      return [{ dtype: "float32", shape: [...batch2, rows, columns] }];
    },
    lower: (lowering, [a, b], results, { inputs, attributes: { transposeA, transposeB } }) => {
      const [rankA, rankB] = inputs.map((value) => value.shape.length);
      if (rankA === 2 && rankB === 2 && transposeA && !transposeB && lowering.device === "webgpu") {
        const parts = partsOfSum(inputs[0].shape[0]);
        if (parts > 1) {
          lowerInParts(lowering, [a, b], results, inputs, parts);
          return;
        }
      }
      if (rankA === 2 && rankB === 2 && (transposeA || transposeB)) {
        const attributes = { transA: transposeA ? 1 : 0, transB: transposeB ? 1 : 0 };
        lowering.emit("Gemm", [a, b], attributes, results);
        return;
      }
      const left = transposeA ? lowerTransposed(lowering, a, rankA) : a;
      const right = transposeB ? lowerTransposed(lowering, b, rankB) : b;
      lowering.emit("MatMul", [left, right], void 0, results);
    },
    gradient: ({ inputs: [a, b], attributes: { transposeA, transposeB } }, [g]) => {
      const gradientA = transposeA ? multiplyMatrices(b, g, { transposeA: transposeB, transposeB: true }) : multiplyMatrices(g, b, { transposeA: false, transposeB: !transposeB });
      const gradientB = transposeB ? multiplyMatrices(g, a, { transposeA: true, transposeB: transposeA }) : multiplyMatrices(a, g, { transposeA: !transposeA, transposeB: false });
      return [reduceTo(gradientA, a.shape), reduceTo(gradientB, b.shape)];
    }
  }
};
var MUCH_WIDER = 2;
function multiplyMatrices(a, b, attributes) {
  const { transposeA, transposeB } = attributes;
  const rank = a.shape.length;
  if (transposeA && !transposeB && rank > 2 && rank === b.shape.length) {
    const [columnsA, columnsB] = [a.shape[rank - 1], b.shape[rank - 1]];
    if (Number(columnsA) >= MUCH_WIDER * Number(columnsB)) {
      const product = apply(matrix.matmul, [b, a], attributes)[0];
      return transpose(product, swapLastTwo(rank));
    }
  }
  return apply(matrix.matmul, [a, b], attributes)[0];
}
function matmul(a, b, { transposeA = false, transposeB = false } = {}) {
  if (a.shape.length > 2 && b.shape.length === 2 && !transposeA) {
    const flat = multiplyMatrices(reshape(a, [-1, a.shape.at(-1)]), b, { transposeA, transposeB });
    return reshape(flat, [...a.shape.slice(0, -1), flat.shape[1]]);
  }
  return multiplyMatrices(a, b, { transposeA, transposeB });
}

// src/graph/ops/attention.ts
var attentionPrimitives = {
  /**
   * Two outputs: softmax(scores) · values, and the softmax that its gradient reuses. In the gradient of the scores the
   * sum over keys of weight · gradient is taken as that over columns of result · gradient, which are fewer
   * (Dao et al., "FlashAttention", NeurIPS 2022, appendix B.2).
   */
  attend: {
    name: "attend",
    infer: ([scores, values]) => {
      requireDtype(scores, "float32");
      requireDtype(values, "float32");
      if (scores.shape.length < 2 || values.shape.length < 2) throw new Error("both need at least two axes");
      if (scores.shape.at(-1) !== values.shape.at(-2))
        throw new Error(`${scores.shape.at(-1)} keys have ${values.shape.at(-2)} values`);
      const batch2 = broadcastShapes(scores.shape.slice(0, -2), values.shape.slice(0, -2));
      if (batch2 === void 0) throw new Error("leading sizes do not broadcast");
      return [
        { dtype: "float32", shape: [...batch2, scores.shape.at(-2), values.shape.at(-1)] },
        { dtype: "float32", shape: scores.shape }
      ];
    },
    lower: (lowering, [scores, values], [mixed, weights]) => {
      lowering.emit("Softmax", [scores], { axis: -1 }, [weights]);
      lowering.emit("MatMul", [weights, values], void 0, [mixed]);
    },
    gradient: ({ inputs: [scores, values], outputs: [mixed, weights] }, [g]) => {
      const ofWeights = reduceTo(matmul(g, values, { transposeB: true }), scores.shape);
      const projection = reduceTo(sum(multiply(g, mixed), [-1], { keepSizes: true }), [
        ...scores.shape.slice(0, -1),
        1
      ]);
      return [
        multiply(weights, subtract(ofWeights, projection)),
        reduceTo(matmul(weights, g, { transposeA: true }), values.shape)
      ];
    }
  }
};
var attend = (scores, values) => apply(attentionPrimitives.attend, [scores, values], {})[0];

// src/graph/ops/convolution.ts
var PAYING_ROWS = 16;
var sizeOf = (shape) => [
  staticSize(shape[2]),
  staticSize(shape[3])
];
function resultSize([height, width], kernel, { stride, padding }) {
  const along = (size, axis) => Math.floor((size + 2 * padding[axis] - kernel[axis]) / stride) + 1;
  return [along(height, 0), along(width, 1)];
}
function checkOperands(...operands) {
  for (const value of operands) {
    requireDtype(value, "float32");
    if (value.shape.length !== 4) throw new Error("both need four axes");
  }
}
function checkAttributes(size, kernel, attributes) {
  const { stride, padding } = attributes;
  if (!Number.isInteger(stride) || stride < 1) throw new Error(`a stride of ${stride} is not a whole step`);
  if (padding.length !== 2 || padding.some((zeros) => !Number.isInteger(zeros) || zeros < 0))
    throw new Error(`[${padding.join(", ")}] are not the rows and columns of zeros around an image`);
  if (resultSize(size, kernel, attributes).some((length) => length < 1))
    throw new Error(`filters of ${kernel.join(" \xD7 ")} are larger than ${size.join(" \xD7 ")} with its padding`);
}
var onnxAttributes = ({ stride, padding: [vertical, horizontal] }) => ({
  strides: [stride, stride],
  pads: [vertical, horizontal, vertical, horizontal]
});
function lowerShifted(lowering, padded, [top, left], { stride, channels, size }) {
  const last = (start, length) => start + (length - 1) * stride + 1;
  const bounds = [
    [top, left],
    [last(top, size[0]), last(left, size[1])],
    [2, 3],
    [stride, stride]
  ].map((values) => lowering.int64(values));
  const [part] = lowering.emit("Slice", [padded, ...bounds]);
  return lowering.emit("Reshape", [part, lowering.int64([-1, channels, size[0] * size[1]])])[0];
}
var convolutions = {
  convolution: {
    name: "convolution",
    infer: ([x, weights], attributes) => {
      checkOperands(x, weights);
      if (x.shape[1] !== weights.shape[1])
        throw new Error(`filters of ${weights.shape[1]} channels meet ${x.shape[1]}`);
      const [size, kernel] = [sizeOf(x.shape), sizeOf(weights.shape)];
      checkAttributes(size, kernel, attributes);
      const shape = [x.shape[0], weights.shape[0], ...resultSize(size, kernel, attributes)];
      return [{ dtype: "float32", shape }];
    },
    lower: (lowering, operands, results, { attributes }) => {
      lowering.emit("Conv", operands, onnxAttributes(attributes), results);
    },
    gradient: ({ inputs: [x, weights], attributes }, [g]) => [
      transposedConvolution(g, weights, attributes, sizeOf(x.shape)),
      shiftedProducts(x, g, attributes, sizeOf(weights.shape))
    ]
  },
  /** By the image: each element of g is spread over the places of the image that its filters read. */
  transposedConvolution: {
    name: "transposedConvolution",
    infer: ([g, weights], { size, ...attributes }) => {
      checkOperands(g, weights);
      const [filters, channels] = weights.shape;
      const expected = resultSize(size, sizeOf(weights.shape), attributes);
      if (g.shape[1] !== filters || sizeOf(g.shape).join() !== expected.join())
        throw new Error(`the first must be float32[batch, ${filters}, ${expected.join(", ")}]`);
      return [{ dtype: "float32", shape: [g.shape[0], channels, ...size] }];
    },
    lower: (lowering, operands, results, { inputs: [g, weights], attributes }) => {
      const { stride, padding, size } = attributes;
      const rest = [0, 1].map(
        (axis) => size[axis] + 2 * padding[axis] - Number(weights.shape[axis + 2]) - stride * (Number(g.shape[axis + 2]) - 1)
      );
      lowering.emit(
        "ConvTranspose",
        operands,
        { ...onnxAttributes(attributes), output_padding: rest },
        results
      );
    },
    gradient: ({ inputs: [g, weights], attributes: { size: _, ...attributes } }, [ofImage]) => [
      convolution(ofImage, weights, attributes),
      shiftedProducts(ofImage, g, attributes, sizeOf(weights.shape))
    ]
  },
  /**
   * By the filters: for each of their places the product of g with the elements of the image that meet it. One matrix
   * product a place is over twice as fast as ONNX Runtime's Conv with the axes swapped.
   */
  shiftedProducts: {
    name: "shiftedProducts",
    infer: ([x, g], { size, ...attributes }) => {
      checkOperands(x, g);
      checkAttributes(sizeOf(x.shape), size, attributes);
      const expected = resultSize(sizeOf(x.shape), size, attributes);
      if (g.shape[0] !== x.shape[0] || sizeOf(g.shape).join() !== expected.join())
        throw new Error(`the second must be float32[${x.shape[0]}, filters, ${expected.join(", ")}]`);
      return [{ dtype: "float32", shape: [g.shape[1], x.shape[1], ...size] }];
    },
    lower: (lowering, [x, g], results, { inputs, attributes }) => {
      const { stride, padding, size: kernel } = attributes;
      const [channels, filters] = inputs.map((value) => Number(value.shape[1]));
      const size = inputs[1].shape.slice(2).map(Number);
      const pads = [0, 0, ...padding, 0, 0, ...padding];
      const padded = pads.some((zeros) => zeros > 0) ? lowering.emit("Pad", [x, lowering.int64(pads)])[0] : x;
      const [places] = lowering.emit("Reshape", [g, lowering.int64([-1, filters, size[0] * size[1]])]);
      const [turned] = lowering.emit("Transpose", [places], { perm: [0, 2, 1] });
      const shifted = Array.from({ length: kernel[0] * kernel[1] }, (_, place) => {
        const shift = [Math.floor(place / kernel[1]), place % kernel[1]];
        return lowerShifted(lowering, padded, shift, { stride, channels, size });
      });
      const together = Math.ceil(PAYING_ROWS / channels);
      const sums = [];
      for (let first = 0; first < shifted.length; first += together) {
        const group = shifted.slice(first, first + together);
        const rows = group.length === 1 ? group[0] : lowering.emit("Concat", group, { axis: 1 })[0];
        const [products] = lowering.emit("MatMul", [rows, turned]);
        sums.push(lowering.emit("ReduceSum", [products, lowering.int64([0])], { keepdims: 0 })[0]);
      }
      const all = sums.length === 1 ? sums[0] : lowering.emit("Concat", sums, { axis: 0 })[0];
      const byPlace = lowering.emit("Reshape", [all, lowering.int64([...kernel, channels, filters])]);
      lowering.emit("Transpose", byPlace, { perm: [3, 2, 0, 1] }, results);
    },
    gradient: ({ inputs: [x, g], attributes: { size: _, ...attributes } }, [ofWeights]) => [
      transposedConvolution(g, ofWeights, attributes, sizeOf(x.shape)),
      convolution(x, ofWeights, attributes)
    ]
  }
};
var convolution = (x, weights, { stride = 1, padding = [0, 0] } = {}) => apply(convolutions.convolution, [x, weights], { stride, padding })[0];
var transposedConvolution = (g, weights, attributes, size) => apply(convolutions.transposedConvolution, [g, weights], { ...attributes, size })[0];
var shiftedProducts = (x, g, attributes, size) => apply(convolutions.shiftedProducts, [x, g], { ...attributes, size })[0];

// src/graph/ops/indexing.ts
var ONE_HOT_ROWS = 4096;
function checkElementIndices(data, indices, axis) {
  requireDtype(indices, "int32", "int64");
  if (indices.shape.length !== data.shape.length || indices.shape.some((size, i) => i !== axis && size !== data.shape[i]))
    throw new Error(`indices ${formatType(indices)} must have the data's sizes but for axis ${axis}`);
}
function gatherFromFlat(lowering, [data, indices], results, [{ shape }, { dtype, shape: indexShape }], axis) {
  requireInt32(dtype);
  const sizes = indexShape.map(staticSize);
  const inner = elementCount(shape.slice(axis + 1).map(staticSize));
  const length = staticSize(shape[axis]);
  const starts = Int32Array.from(
    { length: elementCount(sizes) },
    (_, i) => Math.floor(i / (sizes[axis] * inner)) * length * inner + i % inner
  );
  const stride = lowering.constant(hostTensor("int32", [], Int32Array.of(inner)));
  const steps = inner === 1 ? [indices] : lowering.emit("Mul", [indices, stride]);
  const places = lowering.emit("Add", [...steps, lowering.constant(hostTensor("int32", sizes, starts))]);
  const flat = lowering.emit("Reshape", [data, lowering.int64([-1])]);
  lowering.emit("Gather", [...flat, ...places], { axis: 0 }, results);
}
function requireInt32(dtype) {
  if (dtype !== "int32")
    throw new Error(`webgpu: expected indices of int32, got ${dtype}; cast them on the host`);
}
var indexing = {
  gather: {
    name: "gather",
    infer: ([table, indices]) => {
      requireDtype(indices, "int32", "int64");
      if (table.shape.length < 1) throw new Error("the table needs at least one axis");
      return [{ dtype: table.dtype, shape: [...indices.shape, ...table.shape.slice(1)] }];
    },
    lower: (lowering, operands, results) => {
      lowering.emit("Gather", operands, { axis: 0 }, results);
    },
    gradient: ({ inputs: [table, indices] }, [g]) => {
      const rows = staticSize(table.shape[0]);
      const flatIndices = reshape(indices, [-1]);
      const flatGradient = reshape(g, [flatIndices.shape[0], -1]);
      if (rows <= ONE_HOT_ROWS) {
        const gradient = matmul(oneHot(flatIndices, rows), flatGradient, { transposeA: true });
        return [reshape(gradient, table.shape), void 0];
      }
      const perElement = expand(reshape(flatIndices, [-1, 1]), flatGradient.shape);
      const zeros = reshape(zerosOf(table), [rows, -1]);
      return [reshape(scatterElements(zeros, perElement, flatGradient, 0, "add"), table.shape), void 0];
    }
  },
  gatherElements: {
    name: "gatherElements",
    infer: ([data, indices], { axis }) => {
      checkElementIndices(data, indices, axis);
      return [{ dtype: data.dtype, shape: indices.shape }];
    },
    lower: (lowering, operands, results, { inputs, attributes: { axis } }) => {
      if (lowering.device === "cpu") lowering.emit("GatherElements", operands, { axis }, results);
      else gatherFromFlat(lowering, operands, results, inputs, axis);
    },
    gradient: ({ inputs: [data, indices], attributes: { axis } }, [g]) => [
      scatterElements(zerosOf(data), indices, g, axis, "add"),
      void 0
    ]
  },
  scatterElements: {
    name: "scatterElements",
    infer: ([data, indices, updates], { axis }) => {
      checkElementIndices(data, indices, axis);
      if (!sameShape(indices.shape, updates.shape) || updates.dtype !== data.dtype)
        throw new Error(`updates must be ${data.dtype}[${indices.shape.join(", ")}]`);
      return [{ dtype: data.dtype, shape: data.shape }];
    },
    lower: (lowering, operands, results, { attributes: { axis, reduction: reduction2 } }) => {
      lowering.emit("ScatterElements", operands, { axis, reduction: reduction2 }, results);
    },
    gradient: ({ inputs: [, indices], attributes: { axis, reduction: reduction2 } }, [g]) => [
      reduction2 === "add" ? g : scatterElements(g, indices, expand(scalar(0), indices.shape), axis, "none"),
      void 0,
      gatherElements(g, indices, axis)
    ]
  },
  /** Two outputs: the k largest of the last axis in descending order, and their positions (int32). */
  topK: {
    name: "topK",
    infer: ([x], { k }) => {
      requireDtype(x, "float32");
      const size = x.shape.at(-1);
      if (size === void 0 || !(Number.isInteger(k) && k >= 1 && k <= staticSize(size)))
        throw new Error(`cannot take the ${k} largest`);
      const shape = [...x.shape.slice(0, -1), k];
      return [
        { dtype: "float32", shape },
        { dtype: "int32", shape }
      ];
    },
    lower: (lowering, [x], [values, positions], { inputs, attributes: { k } }) => {
      const wide = `${positions}_int64`;
      const sorted = { axis: -1, largest: 1, sorted: 1 };
      lowering.emit("TopK", [x, lowering.int64([k])], sorted, [values, wide]);
      if (lowering.device === "cpu") {
        lowering.emit("Cast", [wide], { to: 6 }, [positions]);
        return;
      }
      const all = Int32Array.from({ length: staticSize(inputs[0].shape.at(-1)) }, (_, i) => i);
      const table = lowering.constant(hostTensor("int32", [all.length], all));
      lowering.emit("Gather", [table, wide], { axis: 0 }, [positions]);
    },
    gradient: ({ inputs: [x], outputs: [, indices] }, [g]) => [
      g === void 0 ? void 0 : scatterElements(zerosOf(x), indices, g, x.shape.length - 1, "add")
    ]
  }
};
var gather = (table, indices) => apply(indexing.gather, [table, indices], {})[0];
var gatherElements = (data, indices, axis) => apply(indexing.gatherElements, [data, indices], { axis })[0];
var scatterElements = (data, indices, updates, axis, reduction2) => apply(indexing.scatterElements, [data, indices, updates], { axis, reduction: reduction2 })[0];
function topK(x, k) {
  const [values, indices] = apply(indexing.topK, [x], { k });
  return { values, indices };
}
function oneHot(indices, classes) {
  const column = reshape(cast(indices, "int32"), [...indices.shape, 1]);
  return cast(equal(column, iota(classes)), "float32");
}

// src/graph/ops/normalization.ts
var inferSame = ([x]) => {
  requireDtype(x, "float32");
  if (x.shape.length === 0) throw new Error("needs at least one axis");
  return [{ dtype: x.dtype, shape: x.shape }];
};
var normalization = {
  softmax: {
    name: "softmax",
    infer: inferSame,
    lower: (lowering, operands, results) => {
      lowering.emit("Softmax", operands, { axis: -1 }, results);
    },
    gradient: ({ outputs: [y] }, [g]) => [
      multiply(y, subtract(g, sum(multiply(g, y), [-1], { keepSizes: true })))
    ]
  },
  logSoftmax: {
    name: "logSoftmax",
    infer: inferSame,
    lower: (lowering, [x], results, { inputs }) => {
      if (lowering.device === "cpu") {
        lowering.emit("LogSoftmax", [x], { axis: -1 }, results);
        return;
      }
      const axes = lowering.int64([inputs[0].shape.length - 1]);
      const [shifted] = lowering.emit("Sub", [x, ...lowering.emit("ReduceMax", [x, axes], { keepdims: 1 })]);
      const total = lowering.emit("ReduceSum", [...lowering.emit("Exp", [shifted]), axes], { keepdims: 1 });
      lowering.emit("Sub", [shifted, ...lowering.emit("Log", total)], void 0, results);
    },
    gradient: ({ outputs: [y] }, [g]) => [subtract(g, multiply(exp(y), sum(g, [-1], { keepSizes: true })))]
  },
  /** Three outputs: the result, and the mean and the inverse deviation that its gradient reuses. */
  layerNorm: {
    name: "layerNorm",
    infer: ([x, scale, bias]) => {
      const [{ dtype, shape }] = inferSame([x]);
      for (const value of [scale, bias]) {
        if (value.dtype !== "float32" || value.shape.length !== 1 || value.shape[0] !== shape.at(-1))
          throw new Error(`scale and bias must be float32[${shape.at(-1)}]`);
      }
      const statistics = { dtype, shape: [...shape.slice(0, -1), 1] };
      return [{ dtype, shape }, statistics, statistics];
    },
    lower: (lowering, operands, results, { attributes: { epsilon } }) => {
      lowering.emit("LayerNormalization", operands, { axis: -1, epsilon }, results);
    },
    gradient: ({ inputs: [x, scale, bias], outputs: [, center, inverseDeviation] }, [g]) => {
      const normalized2 = multiply(subtract(x, center), inverseDeviation);
      const product = multiply(g, normalized2);
      const width = staticSize(scale.shape[0]);
      const column = reshape(multiply(scale, scalar(1 / width)), [width, 1]);
      const centered = subtract(multiply(g, scale), matmul(g, column));
      return [
        multiply(subtract(centered, multiply(normalized2, matmul(product, column))), inverseDeviation),
        reduceTo(product, scale.shape),
        reduceTo(g, bias.shape)
      ];
    }
  },
  /**
   * Two outputs: mean and variance of each channel. The variance is the mean square less the squared mean, which takes
   * two sums over what is read once; rounding must not make it negative.
   */
  moments: {
    name: "moments",
    infer: ([x, count3]) => {
      requireDtype(x, "float32");
      if (x.shape.length < 2) throw new Error("the first needs a batch axis and one of channels");
      if (count3.dtype !== "float32" || count3.shape.length !== 0)
        throw new Error("the count must be float32[]");
      const perChannel = { dtype: x.dtype, shape: [x.shape[1]] };
      return [perChannel, perChannel];
    },
    lower: (lowering, [x, count3], [center, variance], { inputs }) => {
      const axes = lowering.int64([...inputs[0].shape.keys()].filter((axis) => axis !== 1));
      const total = (of) => lowering.emit("ReduceSum", [of, axes], { keepdims: 0 });
      lowering.emit("Div", [...total(x), count3], void 0, [center]);
      const [meanSquare] = lowering.emit("Div", [...total(lowering.emit("Mul", [x, x])[0]), count3]);
      const [squaredMean] = lowering.emit("Mul", [center, center]);
      lowering.emit("Relu", lowering.emit("Sub", [meanSquare, squaredMean]), void 0, [variance]);
    },
    gradient: ({ inputs: [x, count3], outputs: [center] }, [ofMean, ofVariance]) => {
      const places = x.shape.slice(2).map(() => 1);
      const perChannel = (value) => reshape(value, [...center.shape, ...places]);
      const slope = divide(multiply(ofVariance ?? zerosOf(center), scalar(2)), count3);
      const offset = subtract(divide(ofMean ?? zerosOf(center), count3), multiply(slope, center));
      return [add(multiply(x, perChannel(slope)), perChannel(offset)), void 0];
    }
  }
};
var softmax = (x) => apply(normalization.softmax, [x], {})[0];
var logSoftmax = (x) => apply(normalization.logSoftmax, [x], {})[0];
var layerNorm = (x, scale, bias, epsilon) => apply(normalization.layerNorm, [x, scale, bias], { epsilon })[0];
function moments(x, count3) {
  const [mean2, variance] = apply(normalization.moments, [x, count3], {});
  return { mean: mean2, variance };
}

// src/graph/ops/tracking.ts
var tracking = {
  /** The first operand itself. The second is a parameter that whoever trains moves towards it; no gradient does. */
  track: {
    name: "track",
    infer: ([x, running]) => {
      if (running.node.kind !== "parameter") throw new Error("the running value must be a parameter");
      if (x.dtype !== running.dtype || !sameShape(x.shape, running.shape))
        throw new Error(`the running value must be ${formatType(x)}`);
      return [{ dtype: x.dtype, shape: x.shape }];
    },
    lower: (lowering, [x], results) => {
      lowering.emit("Identity", [x], void 0, results);
    },
    gradient: (_, [g]) => [g, void 0]
  }
};
var track = (x, running) => apply(tracking.track, [x, running], {})[0];
function trackedOf(values) {
  return reachableNodes(values).flatMap((node) => {
    if (node.kind !== "operation" || node.primitive.name !== tracking.track.name) return [];
    const running = node.inputs[1].node;
    return running.kind === "parameter" ? [{ name: running.name, value: node.outputs[0] }] : [];
  });
}

// src/graph/gradient.ts
function gradients(loss, targets, { recompute = () => void 0 } = {}) {
  if (loss.dtype !== "float32" || loss.shape.length !== 0) {
    throw new Error(`gradients: the loss must be float32[], got ${loss.dtype}[${loss.shape.join(", ")}]`);
  }
  const nodes = reachableNodes([loss]);
  const wanted = new Set(targets.map((target) => target.node));
  for (const node of nodes) {
    if (node.inputs.some((value) => wanted.has(value.node))) wanted.add(node);
  }
  const parts = /* @__PURE__ */ new Map();
  const present = (node, gradient) => {
    const part = recompute(node.scope);
    if (part === void 0) return node;
    let copies = parts.get(part);
    if (copies === void 0) {
      const inPart = (other) => other.kind === "operation" && recompute(other.scope) === part;
      copies = computeAgain(nodes.filter(inPart), gradient);
      parts.set(part, copies);
    }
    return copies.get(node);
  };
  const accumulated = /* @__PURE__ */ new Map([[loss, scalar(1)]]);
  for (const node of nodes.toReversed()) {
    if (node.kind !== "operation" || !wanted.has(node)) continue;
    const rule = node.primitive.gradient;
    const outputGradients = node.outputs.map((value) => accumulated.get(value));
    const arriving = outputGradients.find((gradient) => gradient !== void 0);
    if (rule === "none" || arriving === void 0) continue;
    scopeOfGradient(node, () => {
      const inputGradients = rule(present(node, arriving), outputGradients);
      node.inputs.forEach((value, index) => {
        const gradient = inputGradients[index];
        if (gradient === void 0 || !wanted.has(value.node)) return;
        const previous = accumulated.get(value);
        accumulated.set(value, previous === void 0 ? gradient : add(previous, gradient));
      });
    });
  }
  return targets.map((target) => accumulated.get(target) ?? zerosOf(target));
}
function computeAgain(nodes, awaited) {
  const copies = /* @__PURE__ */ new Map();
  const inputs = /* @__PURE__ */ new Map();
  const inputOf = (value) => {
    const copy = copies.get(value.node);
    if (copy) return copy.outputs[value.output];
    if (value.node.kind !== "operation" || value.dtype !== "float32") return value;
    const delayed = inputs.get(value) ?? after(value, awaited);
    inputs.set(value, delayed);
    return delayed;
  };
  for (const node of nodes) {
    const [output] = scopeOfNode(
      node,
      () => apply(node.primitive, node.inputs.map(inputOf), node.attributes)
    );
    copies.set(node, output.node);
  }
  return copies;
}
function after(value, awaited) {
  const first = slice(reshape(awaited, [-1]), 0, 0, 1);
  return where(less(reshape(first, []), scalar(0)), value, value);
}

// src/graph/replace-parameters.ts
function replaceParameters(values, replacement) {
  const replaced = /* @__PURE__ */ new Map();
  const replacedValue = (value) => replaced.get(value.node)?.[value.output] ?? value;
  for (const node of reachableNodes(values)) {
    if (node.kind === "parameter") replaced.set(node, [replacement(node)]);
    else if (node.kind === "operation" && node.primitive.name === tracking.track.name)
      replaced.set(node, [replacedValue(node.inputs[0])]);
    else if (node.kind === "operation" && node.inputs.some((value) => replaced.has(value.node)))
      replaced.set(node, apply(node.primitive, node.inputs.map(replacedValue), node.attributes));
  }
  return values.map(replacedValue);
}

// src/graph/index.ts
var primitives = {
  ...elementwise,
  ...reduction,
  ...layout,
  ...matrix,
  ...normalization,
  ...convolutions,
  ...attentionPrimitives,
  ...indexing,
  ...tracking
};

// src/onnx/wire.ts
var LONGEST_VARINT = 10;
function putVarint(bytes, at, value) {
  let end = at;
  if (value >= 0 && value <= 2147483647) {
    let rest2 = Number(value);
    for (; rest2 > 127; rest2 >>>= 7) bytes[end++] = rest2 & 127 | 128;
    bytes[end++] = rest2;
    return end;
  }
  let rest = BigInt.asUintN(64, BigInt(value));
  for (; rest > 0x7fn; rest >>= 7n) bytes[end++] = Number(rest & 0x7fn) | 128;
  bytes[end++] = Number(rest);
  return end;
}
var ProtobufWriter = class _ProtobufWriter {
  chunks = [];
  text = new TextEncoder();
  length = 0;
  push(bytes) {
    this.chunks.push(bytes);
    this.length += bytes.length;
  }
  varint(value) {
    const bytes = new Uint8Array(LONGEST_VARINT);
    this.push(bytes.slice(0, putVarint(bytes, 0, value)));
  }
  /** An int32, int64 or enum field. */
  integer(field, value) {
    this.varint(BigInt(field << 3));
    this.varint(BigInt(value));
    return this;
  }
  float(field, value) {
    this.varint(BigInt(field << 3 | 5));
    this.push(new Uint8Array(Float32Array.of(value).buffer));
    return this;
  }
  /** A repeated int64 field, packed: trees have millions of numbers. */
  integers(field, values) {
    const bytes = new Uint8Array(values.length * LONGEST_VARINT);
    let end = 0;
    for (let i = 0; i < values.length; i++) end = putVarint(bytes, end, values[i]);
    return this.bytes(field, bytes.slice(0, end));
  }
  /** A repeated float field, packed. */
  floats(field, values) {
    return this.bytes(field, new Uint8Array(Float32Array.from(values).buffer));
  }
  /** A repeated string field. */
  strings(field, values) {
    const known = /* @__PURE__ */ new Map();
    const encoded = values.map((value) => {
      const bytes = known.get(value) ?? new _ProtobufWriter().string(field, value).finish();
      known.set(value, bytes);
      return bytes;
    });
    const all = new Uint8Array(encoded.reduce((sum2, { length }) => sum2 + length, 0));
    let end = 0;
    for (const bytes of encoded) {
      all.set(bytes, end);
      end += bytes.length;
    }
    this.push(all);
    return this;
  }
  bytes(field, value) {
    this.varint(BigInt(field << 3 | 2));
    this.varint(BigInt(value.length));
    this.push(value);
    return this;
  }
  string(field, value) {
    return this.bytes(field, this.text.encode(value));
  }
  message(field, build) {
    const message = new _ProtobufWriter();
    build(message);
    this.varint(BigInt(field << 3 | 2));
    this.varint(BigInt(message.length));
    for (const chunk of message.chunks) this.push(chunk);
    return this;
  }
  finish() {
    const result2 = new Uint8Array(this.length);
    let offset = 0;
    for (const chunk of this.chunks) {
      result2.set(chunk, offset);
      offset += chunk.length;
    }
    return result2;
  }
};

// src/onnx/encode.ts
var IR_VERSION = 10;
var OPERATOR_SET = 21;
var elementType = { float32: 1, int32: 6, int64: 7, bool: 9 };
var attributeType = { float: 1, integer: 2, string: 3, floats: 6, integers: 7, strings: 8 };
var domains = { "ai.onnx.ml": 3 };
var FLOAT_ATTRIBUTES = /* @__PURE__ */ new Set(["epsilon", "nodes_values", "target_weights", "base_values"]);
function writeAttributes(node, attributes) {
  for (const [name, value] of Object.entries(attributes)) {
    node.message(5, (attribute) => {
      attribute.string(1, name);
      if (Array.isArray(value) && FLOAT_ATTRIBUTES.has(name)) {
        attribute.floats(7, value.map(Number)).integer(20, attributeType.floats);
      } else if (Array.isArray(value) && typeof value[0] === "string") {
        attribute.strings(9, value.map(String)).integer(20, attributeType.strings);
      } else if (FLOAT_ATTRIBUTES.has(name))
        attribute.float(2, Number(value)).integer(20, attributeType.float);
      else if (typeof value === "string") attribute.string(4, value).integer(20, attributeType.string);
      else if (Array.isArray(value))
        attribute.integers(8, value.map(Number)).integer(20, attributeType.integers);
      else attribute.integer(3, Number(value)).integer(20, attributeType.integer);
    });
  }
}
function writeTensor(tensor, name, { dtype, shape, data }) {
  for (const size of shape) tensor.integer(1, size);
  tensor.integer(2, elementType[dtype]).string(8, name);
  tensor.bytes(9, new Uint8Array(data.buffer, data.byteOffset, data.byteLength));
}
function writeValueInfo(info, name, { dtype, shape }) {
  info.string(1, name).message(
    2,
    (type) => type.message(1, (tensor) => {
      tensor.integer(1, elementType[dtype]).message(2, (dimensions) => {
        for (const size of shape) {
          dimensions.message(
            1,
            (dimension) => typeof size === "number" ? dimension.integer(1, size) : dimension.string(2, size)
          );
        }
      });
    })
  );
}
function orderForMemory(nodes) {
  const read = new Set(nodes.flatMap((node) => node.inputs.map((value) => value.node)));
  const [inner, last] = [nodes.filter((node) => read.has(node)), nodes.filter((node) => !read.has(node))];
  return [...inner, ...last.reverse()];
}
function encodeProgram(program2, { parameters, device: device2 = "cpu", metadata = {} } = {}) {
  const nodes = orderForMemory(reachableNodes(Object.values(program2.outputs)));
  const names = /* @__PURE__ */ new Map();
  const graph2 = new ProtobufWriter();
  const initializers = /* @__PURE__ */ new Map();
  const usedDomains = /* @__PURE__ */ new Set();
  let fresh = 0;
  const constantName = (tensor) => {
    const key = elementCount(tensor.shape) <= 16 ? `${tensor.dtype} ${tensor.shape} ${tensor.data}` : `#${fresh}`;
    const known = initializers.get(key);
    if (known) return known.name;
    const name = `constant_${fresh++}`;
    initializers.set(key, { name, tensor });
    return name;
  };
  const lowering = (node) => ({
    device: device2,
    emit(qualified, operands, attributes = {}, results = [`value_${fresh++}`]) {
      const dot = qualified.lastIndexOf(".");
      const domain = qualified.slice(0, Math.max(dot, 0));
      const operator = qualified.slice(dot + 1);
      if (domain !== "") usedDomains.add(domain);
      graph2.message(1, (message) => {
        for (const operand of operands) message.string(1, operand);
        for (const result2 of results) message.string(2, result2);
        message.string(3, `${node.scope}/${operator}_${fresh++}`).string(4, operator);
        writeAttributes(message, attributes);
        if (domain !== "") message.string(7, domain);
      });
      return [...results];
    },
    int64: (values) => constantName(hostTensor("int64", [values.length], BigInt64Array.from(values, BigInt))),
    constant: constantName
  });
  const outputNames = /* @__PURE__ */ new Map();
  for (const [name, value] of Object.entries(program2.outputs)) {
    if (value.node.kind === "operation" && !outputNames.has(value)) outputNames.set(value, name);
  }
  const inputs = /* @__PURE__ */ new Map();
  for (const node of nodes) {
    for (const value of node.outputs) {
      switch (node.kind) {
        case "input":
        case "parameter":
          names.set(value, node.name);
          if (node.kind === "parameter" && parameters) {
            initializers.set(`parameter ${node.name}`, { name: node.name, tensor: parameters(node.name) });
          } else inputs.set(node.name, value);
          break;
        case "constant":
          names.set(value, constantName(node.tensor));
          break;
        case "operation":
          names.set(value, outputNames.get(value) ?? `value_${fresh++}`);
      }
    }
    if (node.kind === "operation") {
      const operands = node.inputs.map((value) => names.get(value));
      const results = node.outputs.map((value) => names.get(value));
      node.primitive.lower(lowering(node), operands, results, node);
    }
  }
  for (const [name, value] of Object.entries(program2.outputs)) {
    if (names.get(value) !== name) {
      graph2.message(1, (node) => node.string(1, names.get(value)).string(2, name).string(4, "Identity"));
    }
  }
  graph2.string(2, program2.name);
  for (const { name, tensor } of initializers.values()) {
    graph2.message(5, (message) => writeTensor(message, name, tensor));
  }
  for (const [name, value] of inputs) graph2.message(11, (info) => writeValueInfo(info, name, value));
  for (const [name, value] of Object.entries(program2.outputs)) {
    graph2.message(12, (info) => writeValueInfo(info, name, value));
  }
  const model2 = new ProtobufWriter().integer(1, IR_VERSION).string(2, "lacuna");
  model2.bytes(7, graph2.finish());
  model2.message(8, (set) => set.string(1, "").integer(2, OPERATOR_SET));
  for (const domain of usedDomains) {
    model2.message(8, (set) => set.string(1, domain).integer(2, domains[domain]));
  }
  for (const [key, value] of Object.entries(metadata)) {
    model2.message(14, (entry) => entry.string(1, key).string(2, value));
  }
  return model2.finish();
}

// src/engine/webgpu.ts
var DeviceLost = class extends LacunaError {
};
var failing = async (work) => {
  try {
    return await work;
  } catch (cause) {
    throw new DeviceLost(`training.device webgpu: the device failed (${cause.message})`, {
      cause
    });
  }
};
var isHost = (tensor) => "dtype" in tensor;
async function webgpuEngine() {
  const runtime = await import("onnxruntime-node");
  const ort = runtime.default ?? runtime;
  const open = (program2, location) => ort.InferenceSession.create(encodeProgram(program2, { device: "webgpu" }), {
    executionProviders: ["webgpu"],
    graphOptimizationLevel: "all",
    intraOpNumThreads: 1,
    enableMemPattern: false,
    logSeverityLevel: 3,
    preferredOutputLocation: location,
    // What is not on the device would be copied to the processor and back at every run.
    extra: { session: { disable_cpu_ep_fallback: "1" } }
  });
  const copy = (shape) => ({
    name: "copy",
    outputs: { copy: stopGradient(input("original", "float32", shape)) }
  });
  const copies = /* @__PURE__ */ new Map();
  const copyTo = async (location, original) => {
    const key = `${location} [${original.dims}]`;
    const session = copies.get(key) ?? open(copy(original.dims), location);
    copies.set(key, session);
    return (await failing((await session).run({ original }))).copy;
  };
  const release = async () => {
    for (const session of copies.values()) await (await session).release();
    copies.clear();
  };
  const engine = {
    async compile(program2) {
      const session = await open(program2, "gpu-buffer").catch((cause) => {
        throw new LacunaError(
          `training.device webgpu: ${program2.name} cannot be computed there (${cause.message}); try --device cpu`,
          { cause }
        );
      });
      return {
        async run(feeds2) {
          const described = session.inputNames.map((name) => {
            const tensor = feeds2[name];
            if (tensor === void 0)
              throw new Error(
                `${program2.name}: input "${name}" is missing; given are ${Object.keys(feeds2).join(", ")}`
              );
            return [name, isHost(tensor) ? new ort.Tensor(tensor.dtype, tensor.data, tensor.shape) : tensor];
          });
          const results = await failing(session.run(Object.fromEntries(described)));
          return results;
        },
        release: () => session.release()
      };
    },
    upload: async ({ data, shape }) => copyTo("gpu-buffer", new ort.Tensor("float32", data, shape)),
    download: async (tensor) => (await copyTo("cpu", tensor)).data,
    release
  };
  try {
    const probe = await engine.upload(hostTensor("float32", [1], Float32Array.of(1)));
    probe.dispose();
  } catch (cause) {
    throw new LacunaError(
      `training.device webgpu: no GPU answered (${cause.message}); try --device cpu, or install a Vulkan driver and its loader (libvulkan1; beside NVIDIA's driver also libglvnd0, libgl1 and libegl1)`,
      { cause }
    );
  }
  return engine;
}

// src/learning/adamw.ts
var SLICE = 1 << 18;
var [BETA1, BETA2, EPSILON] = [0.9, 0.999, 1e-8];
function adamWMoments({ gradient, first, second }, numbers2, [beta1, beta2] = [BETA1, BETA2]) {
  const newFirst = add(multiply(first, scalar(beta1)), multiply(gradient, numbers2.firstShare));
  const root = multiply(gradient, numbers2.secondShareRoot);
  const newSecond = add(multiply(second, scalar(beta2)), multiply(root, root));
  const change = multiply(divide(newFirst, add(sqrt(newSecond), numbers2.epsilon)), numbers2.rate);
  return { first: newFirst, second: newSecond, change };
}

// src/layers/convolution.ts
function convolution2(name, x, filters, { kernel, stride = 1 }) {
  return scope(name, () => {
    const [height, width] = kernel;
    const channels = staticSize(x.shape[1]);
    const deviation = Math.sqrt(2 / (channels * height * width));
    const weight2 = parameter("weight", [filters, channels, height, width], { kind: "normal", deviation });
    return convolution(x, weight2, { stride, padding: [(height - 1) / 2, (width - 1) / 2] });
  });
}

// src/layers/layer-norm.ts
function layerNormOf(name, width, { epsilon = 1e-5 } = {}) {
  return scope(name, () => {
    const scale = parameter("scale", [width], { kind: "constant", value: 1 }, { decay: false });
    const bias = parameter("bias", [width], { kind: "constant", value: 0 }, { decay: false });
    return (x) => layerNorm(x, scale, bias, epsilon);
  });
}
var layerNorm2 = (name, x, options = {}) => layerNormOf(name, staticSize(x.shape.at(-1)), options)(x);

// src/layers/linear.ts
var linearWeight = (name, inputs, width) => scope(
  name,
  () => parameter("weight", [inputs, width], { kind: "normal", deviation: 1 / Math.sqrt(inputs) })
);
function linearOf(name, inputs, width, { bias = true } = {}) {
  const weight2 = linearWeight(name, inputs, width);
  if (!bias) return (x) => matmul(x, weight2);
  const offset = scope(
    name,
    () => parameter("bias", [width], { kind: "constant", value: 0 }, { decay: false })
  );
  return (x) => add(matmul(x, weight2), offset);
}
var linear = (name, x, width, options = {}) => linearOf(name, staticSize(x.shape.at(-1)), width, options)(x);

// src/layers/mlp.ts
function mlp(name, x, widening) {
  return scope(name, () => {
    const width = staticSize(x.shape.at(-1));
    const inner = gelu(linear("expand", x, widening * width, { bias: false }));
    return linear("contract", inner, width, { bias: false });
  });
}

// src/layers/dropout.ts
import { z } from "zod";

// src/tensor/random.ts
var MULTIPLIER_0 = 3528531795;
var MULTIPLIER_1 = 3449720151;
var WEYL_0 = 2654435769;
var WEYL_1 = 3144134277;
function multiplyHigh(a, b) {
  const aLow = a & 65535;
  const aHigh = a >>> 16;
  const bLow = b & 65535;
  const bHigh = b >>> 16;
  const middle = aHigh * bLow + (aLow * bLow >>> 16);
  const carry = aLow * bHigh + (middle & 65535);
  return aHigh * bHigh + Math.floor(middle / 65536) + Math.floor(carry / 65536) >>> 0;
}
function philox(out, counter, key) {
  let [c0, c1, c2, c3] = counter;
  let [k0, k1] = key;
  for (let round = 0; round < 10; round++) {
    const high0 = multiplyHigh(c0 >>> 0, MULTIPLIER_0);
    const low0 = Math.imul(c0, MULTIPLIER_0) >>> 0;
    const high1 = multiplyHigh(c2 >>> 0, MULTIPLIER_1);
    const low1 = Math.imul(c2, MULTIPLIER_1) >>> 0;
    c0 = (high1 ^ c1 ^ k0) >>> 0;
    c1 = low1;
    c2 = (high0 ^ c3 ^ k1) >>> 0;
    c3 = low0;
    k0 = k0 + WEYL_0 >>> 0;
    k1 = k1 + WEYL_1 >>> 0;
  }
  out[0] = c0;
  out[1] = c1;
  out[2] = c2;
  out[3] = c3;
}
function hashString(text) {
  let hash = 2166136261;
  for (let i = 0; i < text.length; i++) {
    hash = Math.imul(hash ^ text.charCodeAt(i), 16777619);
  }
  return hash >>> 0;
}
function random(seed, purpose, a = 0, b = 0) {
  const key = [seed >>> 0, hashString(purpose)];
  const counter = [0, Math.floor(seed / 2 ** 32) >>> 0, a >>> 0, b >>> 0];
  const words = new Uint32Array(4);
  let used = 4;
  let spare;
  const word = () => {
    if (used === 4) {
      philox(words, counter, key);
      counter[0]++;
      used = 0;
    }
    return words[used++];
  };
  const uniform = () => (word() >>> 8) / 2 ** 24;
  return {
    uniform,
    integer(n) {
      const limit = 2 ** 32 - 2 ** 32 % n;
      for (; ; ) {
        const draw = word();
        if (draw < limit) return draw % n;
      }
    },
    normal() {
      if (spare !== void 0) {
        const value = spare;
        spare = void 0;
        return value;
      }
      const radius = Math.sqrt(-2 * Math.log(1 - uniform()));
      const angle = 2 * Math.PI * uniform();
      spare = radius * Math.sin(angle);
      return radius * Math.cos(angle);
    }
  };
}
function permutation(n, source) {
  const order = Int32Array.from({ length: n }, (_, i) => i);
  for (let i = n - 1; i > 0; i--) {
    const j = source.integer(i + 1);
    const swap = order[i];
    order[i] = order[j];
    order[j] = swap;
  }
  return order;
}

// src/layers/dropout.ts
var dropoutOptions = {
  attention_dropout: {
    type: z.number().min(0).lt(1),
    description: "part of the attention weights that is dropped in training",
    example: 0.1
  },
  dropout: {
    type: z.number().min(0).lt(1),
    description: "part of the embedded tokens and of the results of attention and MLPs that is dropped in training",
    example: 0.1
  },
  drop_path: {
    type: z.number().min(0).lt(1),
    description: "part of the records for which a layer adds nothing in training",
    example: 0.1
  }
};
var dropsAny = (rates) => Object.values(rates ?? {}).some((rate) => rate > 0);
var integer = (value) => constant(hostTensor("int32", [], Int32Array.of(value)));
var ROUNDS = [
  [2146121005, 15],
  [2221713035, 16],
  [2654435761, 15],
  [2246822507, 16],
  [3266489909, 15]
];
var mix = (x) => ROUNDS.reduce((bits, [factor, shift]) => {
  const product = multiply(bits, integer(factor));
  return add(product, divide(product, integer(1 << shift)));
}, x);
function keys(seeds, salt, shape) {
  const count3 = shape.reduce((product, size) => product * size, 1);
  const own = mix(add(seeds, integer(salt)));
  const [batch2] = seeds.shape;
  const places = multiply(reshape(iota(count3), [1, count3]), integer(1013904242 | 1));
  return reshape(mix(add(reshape(own, [batch2, 1]), places)), [batch2, ...shape]);
}
function dropoutMask(site, shape, rate, { seeds }) {
  const sizes = shape.slice(1).map(staticSize);
  const salt = hashString(site);
  const rows = keys(seeds, salt, [...sizes.slice(0, -1), 1]);
  const columns = keys(seeds, ~salt, [...sizes.slice(0, -1).fill(1), sizes.at(-1)]);
  const sum2 = add(rows, columns);
  const limit = Math.min(2 ** 31 - 1, Math.round((1 - rate) * 2 ** 32 - 2 ** 31));
  return where(less(multiply(sum2, sum2), integer(limit)), scalar(1 / (1 - rate)), scalar(0));
}
function dropped(site, x, rate, dropout) {
  if (!rate || !dropout) return x;
  return multiply(x, dropoutMask(`${x.node.scope} ${site}`, x.shape, rate, dropout));
}
function droppedPath(site, x, dropout) {
  if (!dropout?.drop_path) return x;
  const shape = [x.shape[0], 1, 1];
  return multiply(x, dropoutMask(`${x.node.scope} ${site} path`, shape, dropout.drop_path, dropout));
}

// src/layers/token-embedding.ts
function tokenTypes(spec2, batch2, count3, prefix = "") {
  const channels = spec2.kind === "continuous" ? spec2.channels : 1;
  return {
    ...spec2.kind !== "continuous" && { [`${prefix}ids`]: { dtype: "int32", shape: [batch2, count3] } },
    ...spec2.kind !== "discrete" && {
      [`${prefix}values`]: { dtype: "float32", shape: [batch2, count3, channels] }
    },
    [`${prefix}lengths`]: { dtype: "int32", shape: [batch2] }
  };
}
function tokenFeeds({ size, tokens, ids: ids2, values, lengths }, prefix = "") {
  return {
    ...ids2 && { [`${prefix}ids`]: hostTensor("int32", [size, tokens], ids2) },
    ...values && {
      [`${prefix}values`]: hostTensor("float32", [size, tokens, values.length / (size * tokens)], values)
    },
    [`${prefix}lengths`]: hostTensor("int32", [size], lengths)
  };
}
function tokenInputs(spec2, batch2, count3, prefix = "") {
  const inputs = Object.fromEntries(
    Object.entries(tokenTypes(spec2, batch2, count3, prefix)).map(([name, { dtype, shape }]) => [
      name.slice(prefix.length),
      input(name, dtype, shape)
    ])
  );
  const { ids: ids2, values, lengths } = inputs;
  return {
    ids: ids2,
    values,
    lengths,
    padding: logicalNot(less(reshape(iota(count3), [1, count3]), reshape(lengths, [batch2, 1]))),
    batch: batch2,
    count: count3
  };
}
var embeddingDeviation = (width) => 1 / Math.sqrt(width);
var embeddingTable = (name, rows, width) => parameter(name, [rows, width], { kind: "normal", deviation: embeddingDeviation(width) }, { decay: false });
function valuesAt(values, positions) {
  const channels = staticSize(values.shape[2]);
  const [batch2, n] = positions.shape;
  return gatherElements(values, expand(reshape(positions, [batch2, n, 1]), [batch2, n, channels]), 1);
}
function embedTokens(spec2, tokens, width, { positions: positioned = true, dropout } = {}) {
  return scope("embedding", () => {
    const positions = embeddingTable("positions", spec2.maxTokens, width);
    const unplaced = positioned ? void 0 : embeddingTable("unplaced", 1, width);
    const table = spec2.kind === "continuous" ? void 0 : embeddingTable("tokens", spec2.vocabulary, width);
    const projection = scope("projection", () => {
      if (spec2.kind === "discrete") return void 0;
      const channels = spec2.kind === "continuous" ? spec2.channels : 1;
      const deviation = embeddingDeviation(width) / Math.sqrt(channels);
      const weight2 = parameter("weight", [channels, width], { kind: "normal", deviation });
      if (table !== void 0) return { channels, weight: weight2 };
      const bias = parameter("bias", [width], { kind: "constant", value: 0 }, { decay: false });
      return { channels, weight: weight2, bias };
    });
    const normalize = layerNormOf("norm", width, { epsilon: 1e-12 });
    const embed = (position, ids3, values2) => {
      const parts = [unplaced ?? position];
      if (table) parts.push(gather(table, ids3));
      if (projection) {
        const { channels, weight: weight2, bias } = projection;
        parts.push(channels === 1 ? multiply(values2, weight2) : matmul(values2, weight2));
        if (bias) parts.push(bias);
      }
      return normalize(parts.reduce((total, part) => add(part, total)));
    };
    const { ids: ids2, values } = tokens;
    const present = slice(positions, 0, 0, tokens.count);
    const kept = dropout?.dropout ? dropoutMask("embedding", [tokens.batch, tokens.count, width], dropout.dropout, dropout) : void 0;
    const drop = (x, mask) => mask ? multiply(x, mask) : x;
    return {
      embedded: drop(embed(present, ids2, values), kept),
      embedAt: (at, as = at) => drop(
        embed(gather(positions, as), ids2 && gatherElements(ids2, at, 1), values && valuesAt(values, at)),
        kept && valuesAt(kept, at)
      ),
      positions: present,
      table
    };
  });
}
var realTokens = (tokens) => cast(logicalNot(tokens.padding), "float32");

// src/encoders/encoder.ts
import { z as z2 } from "zod";
var count = () => z2.int().min(1);
var encoderSizes = {
  width: { type: count(), description: "channels of the states that the encoder gives", example: 256 },
  embed_width: { type: count(), description: "width of the embedded input tokens", example: 128 },
  layers: { type: count(), description: "layers of the stack, or residual blocks", example: 4 },
  heads: { type: count(), description: "heads of self-attention", example: 8 },
  widening: {
    type: count(),
    description: "hidden width of a feed-forward layer as a multiple of its width",
    example: 4
  }
};
var unattended = ({ padding }, readable) => readable ? logicalOr(padding, logicalNot(readable)) : padding;
function refuseAttention({ kind }, { readable, dropout }) {
  if (dropout) {
    throw new InputError(
      `the encoder ${kind} drops nothing; use --encoder perceiver or transformer, or leave out attention_dropout, dropout and drop_path`
    );
  }
  if (readable) {
    throw new InputError(
      `the encoder ${kind} does not attend, and the objective says which tokens to attend to; use --encoder perceiver or transformer, or another --objective`
    );
  }
}

// src/encoders/convolution.ts
var KERNEL = 5;
function convolveTokens(name, x, filters) {
  const [batch2, tokens, channels] = x.shape;
  const signal = reshape(transpose(x, [0, 2, 1]), [batch2, channels, 1, tokens]);
  const found = convolution2(name, signal, filters, { kernel: [1, KERNEL] });
  return transpose(reshape(found, [batch2, filters, tokens]), [0, 2, 1]);
}
var convolution3 = {
  encode(spec2, tokens, config, options = {}) {
    refuseAttention(config, options);
    const { hiding } = options;
    const { embedded, positions, table } = embedTokens(spec2, tokens, config.embed_width, options);
    return scope("encoder", () => {
      const { width, embed_width: embedWidth } = config;
      const unreadable = hiding ? logicalOr(tokens.padding, hiding.choose(void 0)) : tokens.padding;
      const readable = reshape(cast(logicalNot(unreadable), "float32"), [...unreadable.shape, 1]);
      let states = embedWidth === width ? embedded : linear("input", embedded, width);
      for (let layer = 0; layer < config.layers; layer++) {
        states = scope(`layers.${layer}`, () => {
          const read = multiply(layerNorm2("norm", states), readable);
          const found = gelu(convolveTokens("convolution", read, width));
          return add(mlp("mlp", found, config.widening), states);
        });
      }
      const pooled = divide(sum(multiply(states, readable), [1]), sum(readable, [1]));
      const tokenStates = hiding ? void 0 : states;
      return { embedded, states, tokenStates, unreadable, pooled, positions, table };
    });
  }
};

// src/encoders/perceiver.ts
import { z as z3 } from "zod";

// src/layers/attention.ts
var EXCLUDED = -1e30;
function splitHeads(x, heads) {
  const [batch2, tokens, width] = x.shape;
  if (heads === 1) return reshape(x, [batch2, 1, tokens, width]);
  return transpose(reshape(x, [batch2, tokens, heads, staticSize(width) / heads]), [0, 2, 1, 3]);
}
function joinHeads(x) {
  const [batch2, heads, tokens, d] = x.shape.map((size, axis) => axis === 0 ? size : staticSize(size));
  const byToken = heads === 1 ? x : transpose(x, [0, 2, 1, 3]);
  return reshape(byToken, [batch2, tokens, Number(heads) * Number(d)]);
}
var maskBias = (mask) => reshape(where(mask, scalar(EXCLUDED), scalar(0)), [mask.shape[0], 1, 1, mask.shape[1]]);
function checkHeads(key, heads, widths) {
  const divides = (n) => Object.values(widths).every((size) => size % n === 0);
  if (divides(heads)) return;
  let fitting = heads;
  while (!divides(fitting)) fitting--;
  const named = Object.entries(widths).map(([name, size]) => `${name} = ${size}`);
  throw new InputError(`${key}: expected a divisor of ${named.join(" and ")}, got ${heads}; try ${fitting}`);
}
function attentionWeights(queryWidth, sourceWidth, options) {
  const { heads, keyWidth = queryWidth, valueWidth = queryWidth } = options;
  for (const size of [keyWidth, valueWidth]) {
    if (size % heads !== 0) throw new Error(`attention: width ${size} is not divisible by ${heads} heads`);
  }
  return {
    query: linearWeight("query", queryWidth, keyWidth),
    key: linearWeight("key", sourceWidth, keyWidth),
    value: linearWeight("value", sourceWidth, valueWidth),
    output: linearWeight("output", valueWidth, valueWidth)
  };
}
var projectsSource = (queries, source, { heads, asked = queries }) => heads > 1 || staticSize(asked.shape[1]) > staticSize(source.shape[1]);
var askedOf = (queries, asked) => asked ? gather(reshape(queries, queries.shape.slice(1)), asked) : queries;
function attentionScores(weights, queries, source, options) {
  const { heads, excluded, asked } = options;
  const scale = 1 / Math.sqrt(staticSize(weights.query.shape[1]) / heads);
  const q = matmul(queries, multiply(weights.query, scalar(scale)));
  const scores = projectsSource(queries, source, options) ? matmul(splitHeads(askedOf(q, asked), heads), splitHeads(matmul(source, weights.key), heads), {
    transposeB: true
  }) : matmul(
    splitHeads(askedOf(matmul(q, weights.key, { transposeB: true }), asked), 1),
    splitHeads(source, 1),
    { transposeB: true }
  );
  return excluded ? add(scores, maskBias(excluded)) : scores;
}
function mixValues(scores, values, dropout) {
  if (!dropout?.attention_dropout) return attend(scores, values);
  return matmul(dropped("map", softmax(scores), dropout.attention_dropout, dropout), values);
}
function attentionOf(weights, queries, source, options) {
  const { heads, hideKeys, dropout } = options;
  let scores = attentionScores(weights, queries, source, options);
  if (hideKeys) scores = add(scores, maskBias(hideKeys(softmax(stopGradient(scores)))));
  if (!projectsSource(queries, source, options)) {
    const mixed2 = mixValues(scores, splitHeads(source, 1), dropout);
    return matmul(joinHeads(mixed2), matmul(weights.value, weights.output));
  }
  const mixed = mixValues(scores, splitHeads(matmul(source, weights.value), heads), dropout);
  return matmul(joinHeads(mixed), weights.output);
}
function attentionBlock(name, states, options) {
  return scope(name, () => {
    const width = staticSize(states.shape[2]);
    const normalize = layerNormOf("attention_norm", width);
    const weights = scope(
      "attention",
      () => attentionWeights(width, staticSize((options.source ?? states).shape[2]), options)
    );
    const sourceOf = (of, queries2) => options.source ?? (options.normalizesSource === false ? of : queries2);
    const { dropout } = options;
    const drop = (site, branch) => {
      const kept = dropped(site, branch, dropout?.dropout, dropout);
      return options.dropPath ? droppedPath(site, kept, dropout) : kept;
    };
    const blockOf = (of, excluded = options.excluded) => {
      const queries2 = normalize(of);
      const attended = scope(
        "attention",
        () => attentionOf(weights, queries2, sourceOf(of, queries2), { ...options, excluded })
      );
      const mixed = options.residual === false ? drop("attention", attended) : add(drop("attention", attended), of);
      return add(drop("mlp", mlp("mlp", layerNorm2("mlp_norm", mixed), options.widening)), mixed);
    };
    if (!options.narrow) return blockOf(states);
    const [asking, queries] = [stopGradient(states), normalize(stopGradient(states))];
    const map = scope(
      "attention",
      () => softmax(attentionScores(weights, queries, sourceOf(asking, queries), options))
    );
    const narrowed = options.narrow(stopGradient(map));
    return blockOf(narrowed.states, narrowed.excluded);
  });
}

// src/encoders/perceiver.ts
var perceiver = {
  options: {
    latents: { type: z3.int().min(1), description: "learned latent vectors of a perceiver", example: 64 },
    cross_heads: {
      type: z3.int().min(1),
      description: "heads of a perceiver's cross-attention",
      example: 1
    }
  },
  defaults: ({ maxTokens }, _sizes, { latents, cross_heads = 1 }) => ({
    // The largest power of two that is at most half as many as there are tokens.
    latents: latents ?? Math.max(16, Math.min(128, 2 ** Math.floor(Math.log2(Math.max(1, maxTokens / 2))))),
    cross_heads
  }),
  check: ({ cross_heads, width }) => checkHeads("encoder.cross_heads", cross_heads, { "encoder.width": width }),
  attentionMap: ({ latents, cross_heads }) => ({ heads: cross_heads, queries: latents, tokensAsk: false }),
  encode(spec2, tokens, config, options = {}) {
    const { embedded, positions, table } = embedTokens(spec2, tokens, config.embed_width, options);
    const { dropout } = options;
    return scope("encoder", () => {
      const { latents, width } = config;
      const learned = parameter(
        "latents",
        [latents, width],
        { kind: "normal", deviation: 1 },
        { decay: false }
      );
      let states = attentionBlock("cross_attention", reshape(learned, [1, latents, width]), {
        source: embedded,
        heads: config.cross_heads,
        excluded: unattended(tokens, options.readable),
        hideKeys: options.hiding?.choose,
        dropout,
        widening: 1
      });
      for (let layer = 0; layer < config.layers; layer++) {
        states = attentionBlock(`layers.${layer}`, states, {
          heads: config.heads,
          widening: config.widening,
          dropout,
          dropPath: true
        });
      }
      return { embedded, states, pooled: mean(states, [1]), positions, table, dropout };
    });
  }
};

// src/layers/batch-norm.ts
var EPSILON2 = 1e-5;
function trackedMoments(x, count3, running) {
  const { mean: mean2, variance } = moments(x, count3);
  const unbiased = divide(count3, add(scalar(1), relu(subtract(count3, scalar(2)))));
  return {
    mean: track(mean2, running.mean),
    variance: divide(track(multiply(variance, unbiased), running.variance), unbiased)
  };
}
function batchNorm(name, x, { training, real }) {
  return scope(name, () => {
    const channels = staticSize(x.shape[1]);
    const vector = (name2, value) => parameter(name2, [channels], { kind: "constant", value }, { decay: false });
    const [scale, bias] = [vector("scale", 1), vector("bias", 0)];
    const running = { mean: vector("running_mean", 0), variance: vector("running_variance", 1) };
    const kept = real ? multiply(x, real) : x;
    const elements = () => x.shape.reduce((product, size) => product * staticSize(size), 1);
    const { mean: mean2, variance } = training ? trackedMoments(kept, real ? sumAll(real) : scalar(elements() / channels), running) : { mean: stopGradient(running.mean), variance: stopGradient(running.variance) };
    const factor = divide(scale, sqrt(add(variance, scalar(EPSILON2))));
    const offset = subtract(bias, multiply(mean2, factor));
    const perChannel = (value) => reshape(value, [channels, ...x.shape.slice(2).map(() => 1)]);
    const normalized2 = add(multiply(kept, perChannel(factor)), perChannel(offset));
    return real ? multiply(normalized2, real) : normalized2;
  });
}

// src/encoders/residual-network.ts
var STAGES = 3;
function imageOf(patches, { rows, columns }) {
  const [batch2, count3, channels] = patches.shape;
  const all = pad(patches, 1, 0, rows * columns - staticSize(count3));
  return transpose(reshape(all, [batch2, rows, columns, channels]), [0, 3, 1, 2]);
}
function signalOf(values, { batch: batch2, count: count3, lengths }) {
  const integer2 = (value) => constant(hostTensor("int32", [], Int32Array.of(value)));
  return {
    values: reshape(transpose(values, [0, 2, 1]), [batch2, values.shape[2], 1, count3]),
    kernel: [1, 3],
    realAt(reduction2) {
      const places = multiply(iota(Math.ceil(count3 / reduction2)), integer2(reduction2));
      const real = less(reshape(places, [1, 1, 1, -1]), reshape(lengths, [batch2, 1, 1, 1]));
      return cast(real, "float32");
    }
  };
}
function residualBlock(name, x, { kernel, filters, stride, ...norm }) {
  return scope(name, () => {
    const first = convolution2("convolution.0", x, filters, { kernel, stride });
    const inner = relu(batchNorm("norm.0", first, norm));
    const second = batchNorm("norm.1", convolution2("convolution.1", inner, filters, { kernel }), norm);
    if (stride === 1 && x.shape[1] === filters) return relu(add(second, x));
    const projected = convolution2("shortcut", x, filters, { kernel: [1, 1], stride });
    return relu(add(second, batchNorm("shortcut_norm", projected, norm)));
  });
}
function stageWidths(width, layers) {
  const stages = Math.min(STAGES, layers);
  const divisor = 2 ** (stages - 1);
  if (width % divisor !== 0) {
    const fitting = Math.ceil(width / divisor) * divisor;
    throw new InputError(
      `encoder.width: expected a multiple of ${divisor} for a residual network of ${stages} stages, got ${width}; try ${fitting}`
    );
  }
  return Array.from({ length: stages }, (_, stage) => width / 2 ** (stages - 1 - stage));
}
var residualNetwork = {
  encode(spec2, tokens, config, options = {}) {
    refuseAttention(config, options);
    const { hiding, training = false } = options;
    const { embedded, positions, table } = embedTokens(spec2, tokens, config.embed_width, options);
    return scope("encoder", () => {
      const unreadable = hiding ? logicalOr(tokens.padding, hiding.choose(void 0)) : tokens.padding;
      const visible = reshape(cast(logicalNot(unreadable), "float32"), [...unreadable.shape, 1]);
      const grid = spec2.kind === "continuous" ? spec2.grid : void 0;
      const { values, kernel, realAt } = grid ? { values: imageOf(multiply(tokens.values, visible), grid), kernel: [3, 3] } : signalOf(multiply(embedded, visible), tokens);
      const { width, layers } = config;
      const widths = stageWidths(width, layers);
      const reals = widths.map((_, stage2) => realAt?.(2 ** stage2));
      const stem = convolution2("stem", values, widths[0], { kernel });
      let map = relu(batchNorm("stem_norm", stem, { training, real: reals[0] }));
      let stage = 0;
      for (let layer = 0; layer < layers; layer++) {
        const before = stage;
        stage = Math.floor(widths.length * layer / layers);
        map = residualBlock(`layers.${layer}`, map, {
          kernel,
          filters: widths[stage],
          stride: stage === before ? 1 : 2,
          training,
          real: reals[stage]
        });
      }
      const [batch2, , rows, columns] = map.shape;
      const places = staticSize(rows) * staticSize(columns);
      const states = transpose(reshape(map, [batch2, width, places]), [0, 2, 1]);
      const encoding = { embedded, states, positions, table };
      const real = reals.at(-1);
      if (!real) return { ...encoding, pooled: mean(map, [2, 3]) };
      return {
        ...encoding,
        unreadable: logicalNot(cast(reshape(real, [batch2, places]), "bool")),
        // What is not real is 0.
        pooled: divide(sum(map, [2, 3]), sum(real, [2, 3]))
      };
    });
  }
};

// src/encoders/transformer.ts
import { z as z4 } from "zod";
function readableTokens(unreadable, tokens, count3) {
  const readable = cast(logicalNot(unreadable), "float32");
  const missing = logicalNot(
    less(cast(reshape(iota(count3), [1, count3]), "float32"), sum(readable, [1], { keepSizes: true }))
  );
  return { positions: topK(readable, count3).indices, missing: reshape(missing, [tokens.batch, count3]) };
}
function registersOf(registers, width) {
  if (registers === 0) return (stack) => stack;
  const learned = parameter(
    "registers",
    [registers, width],
    { kind: "normal", deviation: 1 },
    { decay: false }
  );
  return ({ states, excluded }) => ({
    states: add(pad(states, 1, 0, registers), pad(learned, 0, staticSize(states.shape[1]), 0)),
    excluded: cast(pad(cast(excluded, "float32"), 1, 0, registers), "bool")
  });
}
var FIRST_LAYER = "first_layer";
var transformer = {
  options: {
    registers: {
      type: z4.int().min(0).optional(),
      description: "learned tokens that a transformer attends to and then discards",
      example: 1
    }
  },
  defaults: (_spec, _sizes, { registers }) => ({ ...registers !== void 0 && { registers } }),
  attentionMap: ({ heads }, tokens) => ({ heads, queries: tokens, tokensAsk: true }),
  encode(spec2, tokens, config, { hiding, readable, ...options } = {}) {
    if (hiding && readable) throw new Error("transformer: tokens are hidden or readable, not both");
    const { embedded, embedAt, positions, table } = embedTokens(spec2, tokens, config.embed_width, options);
    return scope("encoder", () => {
      const { width, embed_width: embedWidth, registers = 0 } = config;
      const input2 = embedWidth === width ? (x) => x : linearOf("input", embedWidth, width);
      const withRegisters = registersOf(registers, width);
      const { dropout } = options;
      const block = { heads: config.heads, widening: config.widening, dropout };
      let unreadable = tokens.padding;
      let stack = { states: input2(embedded), excluded: unattended(tokens, readable) };
      if (hiding) {
        const states2 = attentionBlock(FIRST_LAYER, stopGradient(stack.states), {
          ...block,
          normalizesSource: false,
          excluded: tokens.padding,
          narrow: (attention) => {
            const hidden = logicalOr(tokens.padding, hiding.choose(attention));
            const visible = readableTokens(hidden, tokens, hiding.visible);
            unreadable = visible.missing;
            stack = withRegisters({ states: input2(embedAt(visible.positions)), excluded: unreadable });
            return stack;
          }
        });
        stack = { ...stack, states: states2 };
      } else {
        stack = withRegisters(stack);
        const { states: states2, excluded } = stack;
        stack = {
          states: attentionBlock(FIRST_LAYER, states2, { ...block, excluded, normalizesSource: false }),
          excluded
        };
      }
      for (let layer = 1; layer < config.layers; layer++) {
        const { states: states2, excluded } = stack;
        stack = {
          states: attentionBlock(`layers.${layer}`, states2, { ...block, excluded, dropPath: true }),
          excluded
        };
      }
      const states = registers === 0 ? stack.states : slice(stack.states, 1, 0, staticSize(unreadable.shape[1]));
      const kept = reshape(cast(logicalNot(unreadable), "float32"), [...unreadable.shape, 1]);
      const pooled = divide(sum(multiply(states, kept), [1]), sum(kept, [1]));
      const tokenStates = hiding ? void 0 : states;
      return { embedded, states, tokenStates, unreadable, pooled, positions, table, dropout };
    });
  }
};

// src/encoders/read-tokens.ts
function readTokens({ embedded, states, tokenStates, unreadable, dropout }, { heads }, queries = embedded) {
  if (tokenStates && queries === embedded) return tokenStates;
  return attentionBlock("cross_attention", queries, {
    source: layerNorm2("states_norm", states),
    heads: staticSize(queries.shape[2]) % heads === 0 ? heads : 1,
    excluded: unreadable,
    widening: 1,
    dropout
  });
}

// src/encoders/index.ts
var encoders = {
  perceiver,
  transformer,
  convolution: convolution3,
  "residual-network": residualNetwork
};
var encoderNamed = (kind) => encoders[kind];

// src/layers/losses.ts
function crossEntropy(logits, targets) {
  const classes = staticSize(logits.shape.at(-1));
  return negate(sum(multiply(logSoftmax(logits), oneHot(targets, classes)), [-1]));
}
function squaredError(predicted, target) {
  const difference = subtract(predicted, target);
  return mean(multiply(difference, difference), [-1]);
}
function weightedMean(values, weights) {
  const weight2 = sumAll(weights);
  const divisor = where(less(weight2, scalar(1e-12)), add(weight2, scalar(1)), weight2);
  return { mean: divide(sumAll(multiply(values, weights)), divisor), weight: weight2 };
}

// src/objectives/joint-embedding.ts
import { z as z6 } from "zod";

// src/objectives/image-views.ts
var IMAGE_VIEWS = {
  area: [0.4, 1],
  aspect: [3 / 4, 4 / 3],
  flip: 0.5,
  brightness: 0.4,
  contrast: 0.4,
  saturation: 0.2,
  grayscale: 0.2,
  blur: 0.5
};
function drawImageView(options, stream) {
  const { uniform } = stream;
  const between2 = (low, high) => low + (high - low) * uniform();
  const area = between2(options.area[0], options.area[1]);
  const aspect = Math.exp(
    between2(Math.log(Math.max(options.aspect[0], area)), Math.log(Math.min(options.aspect[1], 1 / area)))
  );
  const height = Math.min(1, Math.sqrt(area / aspect));
  const width = Math.min(1, Math.sqrt(area * aspect));
  const top = between2(0, 1 - height);
  const left = between2(0, 1 - width);
  const mirrored = uniform() < options.flip;
  const brightness = between2(-options.brightness, options.brightness);
  const contrast = between2(1 - options.contrast, 1 + options.contrast);
  const jittered = between2(1 - options.saturation, 1 + options.saturation);
  const saturation = uniform() < options.grayscale ? 0 : jittered;
  const blurred = uniform() < options.blur;
  const deviation = between2(0.1, 2);
  const blur = blurred ? deviation : 0;
  return { top, left, height, width, mirrored, brightness, contrast, saturation, blur };
}
var axisOf = (size, mostTaps) => ({
  size,
  starts: new Int32Array(size),
  weights: new Float64Array(size * mostTaps),
  taps: 0
});
function setAxis(axis, share2, length, mirrored, kernel) {
  const { size, starts, weights } = axis;
  const radius = (kernel.length - 1) / 2;
  const last = size - 1;
  const taps = kernel.length + 1;
  const position = (line) => Math.max(0, Math.min(last, share2 * size + (Math.max(0, Math.min(last, line)) + 0.5) * length - 0.5));
  axis.taps = taps;
  weights.fill(0, 0, size * taps);
  for (let i = 0; i < size; i++) {
    const line = mirrored ? last - i : i;
    const start = Math.floor(position(line - radius));
    starts[i] = start;
    for (let k = 0; k < kernel.length; k++) {
      const at = position(line + k - radius);
      const below = Math.floor(at);
      const tap = i * taps + below - start;
      weights[tap] += kernel[k] * (1 - (at - below));
      if (at > below) weights[tap + 1] += kernel[k] * (at - below);
    }
  }
}
function readLines(from, to, { size, starts, weights, taps }, across, colours) {
  const [line, step2] = [across * colours, size * colours];
  for (let i = 0; i < size; i++) {
    for (let k = 0; k < taps; k += 2) {
      const [one, other] = [weights[i * taps + k], weights[i * taps + k + 1]];
      let at = (starts[i] + k) * line;
      for (let first = i * colours; first < across * step2; first += step2) {
        for (let next = first; next < first + colours; next++, at++) {
          const read = one * from[at] + other * from[at + line];
          to[next] = k === 0 ? read : to[next] + read;
        }
      }
    }
  }
}
var sharp = Float64Array.of(1);
function setGaussian(kernel, deviation) {
  const radius = (kernel.length - 1) / 2;
  let sum2 = 0;
  for (let k = 0; k < kernel.length; k++) sum2 += kernel[k] = Math.exp(-0.5 * ((k - radius) / deviation) ** 2);
  for (let k = 0; k < kernel.length; k++) kernel[k] /= sum2;
}
function pixelPlaces({ rows, columns, patch }, colours) {
  const places = new Int32Array(rows * columns * patch * patch * colours);
  let next = 0;
  for (let y = 0; y < rows * patch; y++) {
    for (let x = 0; x < columns * patch; x++) {
      const token = Math.floor(y / patch) * columns + Math.floor(x / patch);
      const pixel = y % patch * patch + x % patch;
      for (let colour = 0; colour < colours; colour++)
        places[next++] = (token * patch * patch + pixel) * colours + colour;
    }
  }
  return places;
}
function unpack(tokens, places, pixels) {
  for (let i = 0; i < places.length; i++) pixels[i] = tokens[places[i]];
}
function pack(pixels, places, tokens, factor, shift) {
  for (let i = 0; i < places.length; i++) tokens[places[i]] = factor * pixels[i] + shift;
}
function saturate(pixels, count3, saturation) {
  for (let i = 0; i < count3; i += 3) {
    const grey = 0.299 * pixels[i] + 0.587 * pixels[i + 1] + 0.114 * pixels[i + 2];
    for (let colour = i; colour < i + 3; colour++)
      pixels[colour] = grey + saturation * (pixels[colour] - grey);
  }
}
function meanOf(pixels, count3) {
  let sum2 = 0;
  for (let i = 0; i < count3; i++) sum2 += pixels[i];
  return sum2 / count3;
}
function imageRenderer(grid, colours) {
  const [height, width] = [grid.rows * grid.patch, grid.columns * grid.patch];
  const kernel = new Float64Array(2 * Math.max(1, Math.floor(Math.min(height, width) / 20)) + 1);
  const mostTaps = kernel.length + 1;
  const [down, along] = [axisOf(height, mostTaps), axisOf(width, mostTaps)];
  const places = pixelPlaces(grid, colours);
  const count3 = places.length;
  const pixels = new Float32Array((height + mostTaps) * width * colours);
  const turned = new Float32Array((width + mostTaps) * height * colours);
  return (tokens, view, out) => {
    if (view.blur > 0) setGaussian(kernel, view.blur);
    const blur = view.blur > 0 ? kernel : sharp;
    setAxis(down, view.top, view.height, false, blur);
    setAxis(along, view.left, view.width, view.mirrored, blur);
    unpack(tokens, places, pixels);
    readLines(pixels, turned, down, width, colours);
    readLines(turned, pixels, along, height, colours);
    if (colours === 3 && view.saturation !== 1) saturate(pixels, count3, view.saturation);
    const shift = view.brightness + (1 - view.contrast) * meanOf(pixels, count3);
    pack(pixels, places, out, view.contrast, shift);
  };
}

// src/records/token-block.ts
var PRESENT_ID = 0;
var MISSING_ID = 1;

// src/objectives/masked-autoencoding.ts
import { z as z5 } from "zod";
var maskingOptions = {
  masking_ratio: {
    type: z5.number().gt(0).lt(1),
    description: "part of the tokens that is hidden",
    example: 0.2
  },
  decoder_heads: { type: z5.int().min(1), description: "heads of the decoder's cross-attention", example: 4 },
  tied_output: { type: z5.boolean(), description: "output weights are the input embedding", example: true }
};
var MASKING_RATIO = {
  discrete: 0.2,
  fields: 0.2,
  continuous: 0.5
};
var maskingDefaults = (spec2, { embed_width: embedWidth, heads }, chosen) => ({
  masking_ratio: chosen.masking_ratio ?? MASKING_RATIO[spec2.kind],
  decoder_heads: chosen.decoder_heads ?? (embedWidth % heads === 0 ? heads : 1),
  tied_output: chosen.tied_output ?? true
});
var checkMasking = ({ decoder_heads }, { encoder: encoder2 }) => checkHeads("objective.decoder_heads", decoder_heads, {
  "encoder.width": encoder2.width,
  "encoder.embed_width": encoder2.embed_width
});
function roundHalfToEven(value) {
  const below = Math.floor(value);
  const rest = value - below;
  if (rest !== 0.5) return Math.round(value);
  return below % 2 === 0 ? below : below + 1;
}
var roundedShare = (spec2, ratio2, length) => roundHalfToEven(spec2.kind === "discrete" ? Math.fround(Math.fround(ratio2) * length) : ratio2 * length);
var hiddenCount = (spec2, length, ratio2) => Math.max(0, Math.min(length - 1, Math.max(1, roundedShare(spec2, ratio2, length))));
function leadingOnes(batch2, k, count3) {
  const data = new Float32Array(batch2.size * k);
  for (let row = 0; row < batch2.rows; row++) {
    data.fill(1, row * k, row * k + Math.min(k, count3(batch2.lengths[row], row)));
  }
  return hostTensor("float32", [batch2.size, k], data);
}
function selectLargest(scores, tokens, used) {
  const k = staticSize(used.shape[1]);
  return { positions: topK(where(tokens.padding, scalar(-1), scores), k).indices, used };
}
function selectedMask({ positions, used }, tokens) {
  const zeros = expand(scalar(0), [tokens.batch, tokens.count]);
  return less(scalar(0.5), scatterElements(zeros, positions, used, 1, "none"));
}
function decoderOutputs(spec2) {
  switch (spec2.kind) {
    case "discrete":
      return spec2.vocabulary;
    case "continuous":
      return spec2.channels;
    case "fields":
      return 1 + spec2.vocabulary;
  }
}
function tokenLosses(spec2, tokens, positions, predicted) {
  const targetIds = () => gatherElements(tokens.ids, positions, 1);
  const targetValues = () => valuesAt(tokens.values, positions);
  switch (spec2.kind) {
    case "discrete":
      return { loss: crossEntropy(predicted, targetIds()) };
    case "continuous":
      return { loss: squaredError(predicted, targetValues()) };
    case "fields": {
      const ids2 = targetIds();
      const missing = equal(ids2, constant(hostTensor("int32", [], Int32Array.of(MISSING_ID))));
      const scored = where(missing, scalar(0), scalar(1));
      const numeric = squaredError(slice(predicted, 2, 0, 1), targetValues());
      if (spec2.fields.every((field) => field.type === "numeric")) return { loss: numeric, scored };
      const outside = new Float32Array(spec2.maxTokens * spec2.vocabulary);
      const isNumeric = new Float32Array(spec2.maxTokens);
      spec2.fields.forEach(({ type, firstId, size }, position) => {
        isNumeric[position] = type === "numeric" ? 1 : 0;
        if (type === "categorical") {
          const row = outside.subarray(position * spec2.vocabulary, (position + 1) * spec2.vocabulary);
          row.fill(-1e9).fill(0, firstId, firstId + size);
        }
      });
      const bias = gather(
        constant(hostTensor("float32", [spec2.maxTokens, spec2.vocabulary], outside)),
        positions
      );
      const categorical = crossEntropy(add(slice(predicted, 2, 1, 1 + spec2.vocabulary), bias), ids2);
      const numericField = gather(constant(hostTensor("float32", [spec2.maxTokens], isNumeric)), positions);
      return { loss: where(less(scalar(0.5), numericField), numeric, categorical), scored };
    }
  }
}
var askStates = ({ states, positions: embeddings, unreadable, dropout }, positions, heads) => scope("decoder", () => {
  const decoded = attentionBlock("cross_attention", reshape(embeddings, [1, ...embeddings.shape]), {
    asked: positions,
    source: layerNorm2("states_norm", states),
    heads,
    keyWidth: staticSize(states.shape[2]),
    excluded: unreadable,
    residual: false,
    widening: 1,
    dropout
  });
  return layerNorm2("output_norm", decoded, { epsilon: 1e-12 });
});
function decode(spec2, encoding, positions, { heads, tied }) {
  const asked = askStates(encoding, positions, heads);
  return scope("decoder", () => {
    if (tied && spec2.kind === "discrete") {
      const bias = parameter(
        "output_bias",
        [spec2.vocabulary],
        { kind: "constant", value: 0 },
        { decay: false }
      );
      return add(matmul(asked, encoding.table, { transposeB: true }), bias);
    }
    return linear("output", asked, decoderOutputs(spec2));
  });
}
function encodeVisible(options, { spec: spec2, tokens, shape, encode }, select, visible = mostVisible(options, spec2, shape)) {
  let selection;
  let hidden;
  const encoding = encode({
    hiding: {
      choose(attention) {
        selection = select(attention);
        hidden = selectedMask(selection, tokens);
        return hidden;
      },
      visible
    }
  });
  if (selection === void 0 || hidden === void 0)
    throw new Error("the encoder did not ask what to hide");
  return { encoding, selection, hidden };
}
function reconstruct(options, { spec: spec2, tokens, marginal }, encoding, { positions, used }) {
  const score = (predicted) => {
    const { loss, scored } = tokenLosses(spec2, tokens, positions, predicted);
    return weightedMean(loss, scored ? multiply(used, scored) : used);
  };
  const { mean: mean2, weight: weight2 } = score(
    decode(spec2, encoding, positions, { heads: options.decoder_heads, tied: options.tied_output })
  );
  return { loss: mean2, weight: weight2, marginalLoss: score(gather(marginal, positions)).mean };
}
function maskedAutoencoding(options, inputs, select, visible) {
  const { encoding, selection, hidden } = encodeVisible(options, inputs, select, visible);
  return { ...reconstruct(options, inputs, encoding, selection), hidden };
}
var mostVisible = ({ masking_ratio }, spec2, { tokens }) => tokens - hiddenCount(spec2, tokens, masking_ratio);
var mostHidden = ({ masking_ratio }, spec2, { tokens }) => Math.max(1, hiddenCount(spec2, tokens, masking_ratio));

// src/objectives/views.ts
var TOKEN_VIEWS = { drop: 0.25, swap: 0.2, noise: 0.1 };
var IMAGE_TOKEN_VIEWS = { drop: 0, swap: 0, noise: 0 };
var isImage = (spec2) => spec2.kind === "continuous" && spec2.grid !== void 0;
var gridOf = (spec2, { image }) => spec2.kind === "continuous" && image !== false ? spec2.grid : void 0;
function tokenViewOptions(spec2, options) {
  const usual = gridOf(spec2, options) ? IMAGE_TOKEN_VIEWS : TOKEN_VIEWS;
  const { drop = usual.drop, swap = usual.swap, noise = usual.noise } = options;
  return { drop, swap, noise };
}
function droppedCount(spec2, length, options) {
  const { drop } = tokenViewOptions(spec2, options);
  return drop === 0 ? 0 : hiddenCount(spec2, length, drop);
}
function anyToken({ rows, tokens, lengths }) {
  const places = new Int32Array(rows * tokens);
  let count3 = 0;
  for (let row = 0; row < rows; row++)
    for (let token = 0; token < lengths[row]; token++) places[count3++] = row * tokens + token;
  return (_row, _token, { uniform }) => places[Math.floor(uniform() * count3)];
}
function sameTokenElsewhere({ rows, tokens, lengths }) {
  const longest = Array.from({ length: rows }, (_, row) => row).sort((a, b) => lengths[b] - lengths[a]);
  const rank = new Int32Array(rows);
  const having = new Int32Array(tokens);
  for (const [place, row] of longest.entries()) {
    rank[row] = place;
    having.fill(place + 1, 0, lengths[row]);
  }
  return (row, token, { uniform }) => {
    const other = Math.floor(uniform() * (having[token] - 1));
    const place = having[token] === 1 ? rank[row] : other < rank[row] ? other : other + 1;
    return longest[place] * tokens + token;
  };
}
function imageWriter(spec2, options) {
  const grid = gridOf(spec2, options);
  if (spec2.kind !== "continuous" || !grid) return void 0;
  const image = { ...IMAGE_VIEWS, ...options.image };
  const render = imageRenderer(grid, spec2.channels / grid.patch ** 2);
  return (tokens, stream, out) => render(tokens, drawImageView(image, stream), out);
}
function chooseFirst(order, length, count3, { uniform }) {
  if (count3 === 0) return;
  for (let i = 0; i < length; i++) order[i] = i;
  for (let i = 0; i < count3; i++) {
    const j = i + Math.floor(uniform() * (length - i));
    const chosen = order[j];
    order[j] = order[i];
    order[i] = chosen;
  }
}
function addNoise({ ids: ids2, values, dropped: dropped2 }, start, end, deviation, stream) {
  const channels = values.length / dropped2.length;
  for (let token = start; token < end; token++) {
    if (dropped2[token] || ids2 && ids2[token] !== PRESENT_ID) continue;
    for (let i = token * channels; i < (token + 1) * channels; i++)
      if (ids2 || values[i] !== 0) values[i] += deviation * stream.normal();
  }
}
function drawViews(spec2, batch2, options, source) {
  const { rows, size, tokens } = batch2;
  const { count: count3 } = options;
  const { swap, noise } = tokenViewOptions(spec2, options);
  const ids2 = batch2.ids && new Int32Array(count3 * size * tokens);
  const values = batch2.values && new Float32Array(count3 * batch2.values.length);
  const lengths = new Int32Array(count3 * size);
  const dropped2 = new Uint8Array(count3 * size * tokens);
  const views = { ids: ids2, values, lengths, dropped: dropped2 };
  const channels = values ? values.length / dropped2.length : 0;
  const width = tokens * channels;
  const writeImage = imageWriter(spec2, options);
  const replacement = spec2.kind === "discrete" ? anyToken(batch2) : sameTokenElsewhere(batch2);
  const order = new Int32Array(tokens);
  for (let view = 0; view < count3; view++) {
    const first = view * size;
    lengths.set(batch2.lengths, first);
    ids2?.set(batch2.ids, first * tokens);
    if (!writeImage) values?.set(batch2.values, first * width);
    for (let row = 0; row < rows; row++) {
      const stream = source(`view ${view}`, row);
      if (writeImage) {
        const out = values.subarray((first + row) * width, (first + row + 1) * width);
        writeImage(batch2.values.subarray(row * width, (row + 1) * width), stream, out);
      }
      const start = (first + row) * tokens;
      const length = batch2.lengths[row];
      const drop = droppedCount(spec2, length, options);
      const changed = drop + roundHalfToEven(swap * (length - drop));
      chooseFirst(order, length, changed, stream);
      for (let i = 0; i < drop; i++) dropped2[start + order[i]] = 1;
      for (let i = drop; i < changed; i++) {
        const [from, to] = [replacement(row, order[i], stream), start + order[i]];
        if (ids2) ids2[to] = batch2.ids[from];
        for (let c = 0; c < channels; c++) values[to * channels + c] = batch2.values[from * channels + c];
      }
      if (values && noise > 0) addNoise(views, start, start + length, noise, stream);
    }
    for (let row = rows; row < size; row++) {
      const [from, to] = [first + row % rows, first + row];
      ids2?.copyWithin(to * tokens, from * tokens, (from + 1) * tokens);
      values?.copyWithin(to * width, from * width, (from + 1) * width);
      dropped2.copyWithin(to * tokens, from * tokens, (from + 1) * tokens);
    }
  }
  return views;
}

// src/objectives/joint-embedding.ts
var share = z6.number().min(0).lt(1);
var viewChanges = {
  drop_ratio: { type: share, description: "part of the tokens that each view leaves out", example: 0.25 },
  swap_ratio: {
    type: share,
    description: "part of the tokens of a view that are taken from other records",
    example: 0.2
  },
  noise_deviation: {
    type: z6.number().min(0),
    description: "deviation of the noise on the values of a view, in standard deviations",
    example: 0.1
  },
  smallest_crop: {
    type: z6.number().gt(0).max(1).optional(),
    description: "of images: least part of the area that a view shows",
    example: 0.4
  },
  flip_probability: {
    type: z6.number().min(0).max(1).optional(),
    description: "of images: how often a view is mirrored; 0 where left and right differ, as for digits",
    example: 0.5
  }
};
function viewDefaults(spec2, chosen) {
  const image = isImage(spec2);
  const usual = image ? { drop: 0, swap: 0, noise: 0 } : TOKEN_VIEWS;
  return {
    drop_ratio: chosen.drop_ratio ?? usual.drop,
    swap_ratio: chosen.swap_ratio ?? usual.swap,
    noise_deviation: chosen.noise_deviation ?? usual.noise,
    smallest_crop: chosen.smallest_crop ?? (image ? IMAGE_VIEWS.area[0] : void 0),
    flip_probability: chosen.flip_probability ?? (image ? IMAGE_VIEWS.flip : void 0)
  };
}
function checkViews(changes, { spec: spec2 }) {
  if (isImage(spec2)) return;
  for (const key of ["smallest_crop", "flip_probability"]) {
    if (changes[key] === void 0) continue;
    throw new InputError(
      `objective.${key}: is for images, and these records are none; leave it out, or set drop_ratio, swap_ratio or noise_deviation`
    );
  }
}
var viewOptions = (changes, count3) => ({
  count: count3,
  drop: changes.drop_ratio,
  swap: changes.swap_ratio,
  noise: changes.noise_deviation,
  image: {
    ...changes.smallest_crop !== void 0 && { area: [changes.smallest_crop, 1] },
    ...changes.flip_probability !== void 0 && { flip: changes.flip_probability }
  }
});
var PREFIX = "view_";
var DROPPED = "view_dropped";
var viewNoise = ({ drop_ratio }, spec2, { size, tokens }, count3) => ({
  ...tokenTypes(spec2, count3 * size, tokens, PREFIX),
  ...drop_ratio > 0 && { [DROPPED]: { dtype: "bool", shape: [count3 * size, tokens] } }
});
function drawViewNoise(changes, spec2, batch2, count3, source) {
  const { dropped: dropped2, ...views } = drawViews(spec2, batch2, viewOptions(changes, count3), source);
  const size = count3 * batch2.size;
  return {
    ...tokenFeeds({ ...views, size, tokens: batch2.tokens }, PREFIX),
    ...changes.drop_ratio > 0 && { [DROPPED]: hostTensor("bool", [size, batch2.tokens], dropped2) }
  };
}
function encodeViews(changes, { spec: spec2, shape, noise, encode }, count3) {
  const tokens = tokenInputs(spec2, count3 * shape.size, shape.tokens, PREFIX);
  if (changes.drop_ratio === 0) return encode({ tokens }).pooled;
  const visible = shape.tokens - droppedCount(spec2, shape.tokens, viewOptions(changes, count3));
  return encode({ tokens, hiding: { choose: () => noise[DROPPED], visible } }).pooled;
}
var stackedCopies = (x, count3) => concatenate(
  Array.from({ length: count3 }, () => x),
  0
);
function splitViews(x, count3) {
  const size = staticSize(x.shape[0]) / count3;
  return Array.from({ length: count3 }, (_, view) => slice(x, 0, view * size, (view + 1) * size));
}
var projectionOptions = {
  projector_width: {
    type: z6.int().min(1),
    description: "hidden width of projector and predictor",
    example: 512
  },
  projection_width: { type: z6.int().min(1), description: "width of the compared vectors", example: 128 }
};
var projectionDefaults = (width, chosen) => ({
  projector_width: chosen.projector_width ?? 4 * width,
  projection_width: chosen.projection_width ?? width
});
var batchNormOver = (rows, training) => (x) => batchNorm("norm", x, { training, real: reshape(rows, [rows.shape[0], 1]) });
var layerNormalization = (x) => layerNorm2("norm", x);
var project = (name, x, options, normalize) => scope(name, () => {
  const hidden = relu(normalize(linear("hidden", x, options.projector_width, { bias: false })));
  return linear("output", hidden, options.projection_width);
});
var unit = (x) => divide(x, sqrt(add(sum(multiply(x, x), [-1], { keepSizes: true }), scalar(1e-12))));
var cosineDistance = (x, y) => multiply(subtract(scalar(1), sum(multiply(unit(x), unit(y)), [-1])), scalar(2));
function spread(x, rows) {
  const counted = multiply(unit(x), reshape(rows, [x.shape[0], 1]));
  const centre = divide(sum(counted, [0]), sumAll(rows));
  return subtract(scalar(1), sumAll(multiply(centre, centre)));
}
var targetMomentum = {
  type: z6.number().min(0).max(1),
  description: "momentum of the target network at the first step; it rises to 1",
  example: 0.996
};
var cosineMomentum = (base, progress) => 1 - (1 - base) * (1 + Math.cos(Math.PI * progress)) / 2;

// src/objectives/byol.ts
var VIEWS = 2;
var exchangedViews = (x) => concatenate(splitViews(x, VIEWS).reverse(), 0);
var byol = {
  paper: 'Grill et al., "Bootstrap Your Own Latent: A New Approach to Self-Supervised Learning", NeurIPS 2020',
  options: { ...viewChanges, ...projectionOptions, target_momentum: targetMomentum },
  defaults: (spec2, { width }, chosen) => ({
    ...viewDefaults(spec2, chosen),
    ...projectionDefaults(width, chosen),
    target_momentum: chosen.target_momentum ?? 0.996
  }),
  check: checkViews,
  noise: (options, spec2, shape) => viewNoise(options, spec2, shape, VIEWS),
  draw: (options, spec2, _shape, batch2, _progress, source) => drawViewNoise(options, spec2, batch2, VIEWS, source),
  build(options, inputs) {
    const rows = stackedCopies(inputs.rows, VIEWS);
    const normalize = batchNormOver(rows, inputs.training);
    const projected = () => project("projector", encodeViews(options, inputs, VIEWS), options, normalize);
    const projection = projected();
    const predicted = project("predictor", projection, options, normalize);
    const { mean: mean2 } = weightedMean(cosineDistance(predicted, exchangedViews(inputs.target(projected))), rows);
    return {
      // Both directions of a record are added up.
      loss: multiply(mean2, scalar(VIEWS)),
      weight: sumAll(inputs.rows),
      metrics: { projection_spread: spread(projection, rows) }
    };
  },
  momentum: ({ target_momentum }, progress) => cosineMomentum(target_momentum, progress)
};

// src/objectives/g-simclr.ts
import { z as z8 } from "zod";

// src/records/batch.ts
function packBatch(block, records, size, tokens) {
  const rows = records.length;
  if (rows === 0 || rows > size)
    throw new LacunaError(`a batch of ${size} takes 1 to ${size} records, not ${rows}`);
  const { offsets } = block;
  const channels = block.values && block.values.length / offsets[block.count];
  const ids2 = block.ids && new Int32Array(size * tokens);
  const values = channels === void 0 ? void 0 : new Float32Array(size * tokens * channels);
  const lengths = new Int32Array(size);
  const fileRows = new Int32Array(size);
  for (let row = 0; row < size; row++) {
    const record = records[row % rows];
    const start = offsets[record];
    const end = offsets[record + 1];
    if (end - start > tokens) {
      throw new LacunaError(
        `file row ${block.rows[record]} has ${end - start} tokens; its batch holds ${tokens}`
      );
    }
    lengths[row] = end - start;
    fileRows[row] = block.rows[record];
    if (ids2) ids2.set(block.ids.subarray(start, end), row * tokens);
    if (values)
      values.set(block.values.subarray(start * channels, end * channels), row * tokens * channels);
  }
  return { rows, size, tokens, ids: ids2, values, lengths, fileRows };
}

// src/objectives/simclr.ts
import { z as z7 } from "zod";
var VIEWS2 = 2;
function contrastiveLoss(vectors, rows, temperature) {
  const count3 = staticSize(vectors.shape[0]);
  const directions = unit(vectors);
  const similarity = multiply(matmul(directions, directions, { transposeB: true }), scalar(1 / temperature));
  const itself = hostTensor(
    "float32",
    [count3, count3],
    Float32Array.from({ length: count3 * count3 }, (_, i) => i % (count3 + 1) === 0 ? 1 : 0)
  );
  const others = subtract(reshape(rows, [1, count3]), constant(itself));
  const logits = where(less(scalar(0.5), others), similarity, scalar(-1e9));
  const otherView = Int32Array.from({ length: count3 }, (_, i) => (i + count3 / 2) % count3);
  return crossEntropy(logits, constant(hostTensor("int32", [count3], otherView)));
}
var simclr = {
  paper: 'Chen et al., "A Simple Framework for Contrastive Learning of Visual Representations", ICML 2020',
  options: {
    ...viewChanges,
    ...projectionOptions,
    temperature: {
      type: z7.number().gt(0),
      description: "by what similarities are divided; the lower, the more the nearest others count",
      example: 0.5
    }
  },
  defaults: (spec2, { width }, chosen) => ({
    ...viewDefaults(spec2, chosen),
    ...projectionDefaults(width, chosen),
    temperature: chosen.temperature ?? 0.5
  }),
  check: checkViews,
  noise: (options, spec2, shape) => viewNoise(options, spec2, shape, VIEWS2),
  draw: (options, spec2, _shape, batch2, _progress, source) => drawViewNoise(options, spec2, batch2, VIEWS2, source),
  build(options, inputs) {
    const rows = stackedCopies(inputs.rows, VIEWS2);
    const projection = project(
      "projector",
      encodeViews(options, inputs, VIEWS2),
      options,
      batchNormOver(rows, inputs.training)
    );
    const { mean: mean2 } = weightedMean(contrastiveLoss(projection, rows, options.temperature), rows);
    return {
      loss: mean2,
      weight: sumAll(inputs.rows),
      // All others alike: each of the 2n − 1 is as likely.
      marginalLoss: log(subtract(sumAll(rows), scalar(1))),
      metrics: { projection_spread: spread(projection, rows) }
    };
  }
};

// src/objectives/g-simclr.ts
var AUTOENCODER = {
  embedding: 16,
  hidden: 128,
  latent: 16,
  batch: 64,
  steps: 300,
  learningRate: 1e-3,
  noise: 0.3
};
var KMEANS = { records: 1e4, iterations: 20 };
var USUAL = { clusters: 256, records: 3 };
function autoencoder(spec2) {
  const { embedding, hidden, latent: width, batch: batch2 } = AUTOENCODER;
  const count3 = spec2.maxTokens;
  const tokens = tokenInputs(spec2, batch2, count3);
  const real = realTokens(tokens);
  return scope("denoising_autoencoder", () => {
    const { embedded } = embedTokens(spec2, tokens, embedding);
    const seen = multiply(
      embedded,
      reshape(multiply(real, input("seen", "float32", [batch2, count3])), [batch2, count3, 1])
    );
    const encoded = relu(linear("encoder", reshape(seen, [batch2, count3 * embedding]), hidden));
    const latent = linear("latent", encoded, width);
    const decoded = relu(linear("decoder", latent, hidden));
    const outputs = decoderOutputs(spec2);
    const predicted = reshape(linear("output", decoded, count3 * outputs), [batch2, count3, outputs]);
    const positions = expand(reshape(iota(count3), [1, count3]), [batch2, count3]);
    const { loss, scored } = tokenLosses(spec2, tokens, positions, predicted);
    return { loss: weightedMean(loss, scored ? multiply(real, scored) : real).mean, outputs: { latent } };
  });
}
function drawSeen(spec2, batch2, seed, step2) {
  const seen = new Float32Array(batch2.size * batch2.tokens).fill(1);
  for (let row = 0; row < batch2.rows; row++) {
    const length = batch2.lengths[row];
    const order = permutation(length, random(seed, "blank tokens of a denoising autoencoder", step2, row));
    for (const token of order.subarray(0, hiddenCount(spec2, length, AUTOENCODER.noise)))
      seen[row * batch2.tokens + token] = 0;
  }
  return seen;
}
async function denoisedLatents({ spec: spec2, block, seed, train }) {
  const { batch: size, steps, learningRate, latent: width } = AUTOENCODER;
  const feedsOf = (batch2, seen) => ({
    ...tokenFeeds(batch2),
    seen: hostTensor("float32", [size, spec2.maxTokens], seen)
  });
  const pack2 = (records) => packBatch(block, records, size, spec2.maxTokens);
  const run = await train({
    build: () => autoencoder(spec2),
    feeds: (step2) => {
      const { uniform } = random(seed, "records of a denoising autoencoder", step2, 0);
      const batch2 = pack2(Int32Array.from({ length: size }, () => Math.floor(uniform() * block.count)));
      return feedsOf(batch2, drawSeen(spec2, batch2, seed, step2));
    },
    steps,
    learningRate
  });
  const all = new Float32Array(size * spec2.maxTokens).fill(1);
  const latents = [];
  for (let first = 0; first < block.count; first += size) {
    const rows = Math.min(size, block.count - first);
    const { latent } = await run(feedsOf(pack2(Int32Array.from({ length: rows }, (_, i) => first + i)), all));
    for (let row = 0; row < rows; row++)
      latents.push(Array.from(latent.data.subarray(row * width, (row + 1) * width)));
  }
  return latents;
}
async function clustersOf(points, clusters, seed) {
  const { kmeans } = await import("ml-kmeans");
  const order = permutation(points.length, random(seed, "points for k-means", 0, 0));
  const some = Array.from(order.subarray(0, KMEANS.records), (i) => points[i]);
  const found = kmeans(some, clusters, {
    seed,
    initialization: "random",
    maxIterations: KMEANS.iterations
  });
  return Int32Array.from(found.nearest(points));
}
var gSimclr = {
  ...simclr,
  paper: 'Chakraborty et al., "G-SimCLR: Self-Supervised Contrastive Learning with Guided Projection via Pseudo Labelling", ICDM workshops 2020',
  options: {
    ...simclr.options,
    clusters: {
      type: z8.int().min(2).optional(),
      description: "groups of records, of which no batch holds two of one",
      example: 256
    }
  },
  defaults: (spec2, encoder2, chosen) => ({
    ...simclr.defaults(spec2, encoder2, chosen),
    clusters: chosen.clusters
  }),
  async groups({ clusters }, context) {
    const { count: count3 } = context.block;
    const usual = Math.max(1, Math.min(USUAL.clusters, Math.floor(count3 / USUAL.records)));
    const most = Math.min(count3, KMEANS.records);
    if (clusters !== void 0 && clusters > most) {
      throw new InputError(
        `objective.clusters: expected at most ${most}, as many as records are clustered, got ${clusters}; try ${usual}`
      );
    }
    return clustersOf(await denoisedLatents(context), clusters ?? usual, context.seed);
  }
};

// src/objectives/group-masking.ts
import { z as z9 } from "zod";
var CORRUPTED = "corrupted_";
var gridOf2 = (spec2) => spec2.kind === "continuous" ? spec2.grid : void 0;
function drawGroups(spec2, length, count3, size, stream) {
  const { rows, columns } = gridOf2(spec2) ?? { rows: 1, columns: length };
  const taken = new Uint8Array(length);
  const groups = [];
  const order = permutation(length, stream);
  const extent = (most) => 1 + stream.integer(Math.min(size, most));
  const from = (token, taking, most) => Math.min(Math.max(0, token - stream.integer(taking)), most - taking);
  let left = count3;
  for (let next = 0; left > 0; next++) {
    if (taken[order[next]]) continue;
    const group = [];
    const take = (token) => {
      if (left === 0 || token >= length) return;
      group.push(token);
      left -= 1 - taken[token];
      taken[token] = 1;
    };
    if (spec2.kind === "fields") {
      for (const token of order.subarray(next, next + extent(length))) take(token);
    } else {
      const [height, width] = [extent(rows), extent(columns)];
      const top = from(Math.floor(order[next] / columns), height, rows);
      const start = from(order[next] % columns, width, columns);
      for (let row = top; row < top + height; row++)
        for (let column = start; column < start + width; column++) take(row * columns + column);
    }
    groups.push(group);
  }
  return groups;
}
function corrupt(spec2, batch2, { masking_ratio, group_size }, source) {
  const { rows, size, tokens, lengths } = batch2;
  const [ids2, values] = [batch2.ids?.slice(), batch2.values?.slice()];
  const corrupted = new Uint8Array(size * tokens);
  const channels = values ? values.length / corrupted.length : 0;
  const elsewhere = sameTokenElsewhere(batch2);
  const single = spec2.kind === "discrete" ? anyToken(batch2) : elsewhere;
  const copy = (from, to) => {
    if (ids2) ids2[to] = batch2.ids[from];
    for (let c = 0; c < channels; c++) values[to * channels + c] = batch2.values[from * channels + c];
  };
  for (let row = 0; row < rows; row++) {
    const stream = source(row);
    const count3 = hiddenCount(spec2, lengths[row], masking_ratio);
    for (const group of drawGroups(spec2, lengths[row], count3, group_size, stream)) {
      const last = Math.max(...group);
      const other = Math.floor(elsewhere(row, last, stream) / tokens);
      const noisy = stream.uniform() < 0.5 || other === row;
      for (const token of group) {
        const to = row * tokens + token;
        corrupted[to] = 1;
        if (!noisy) copy(other * tokens + token, to);
        else if (ids2) copy(single(row, token, stream), to);
        else for (let c = 0; c < channels; c++) values[to * channels + c] = stream.normal();
      }
    }
  }
  return { ids: ids2, values, corrupted };
}
var groupMasking = {
  paper: 'Atito, Awais & Kittler, "SiT: Self-supervised vIsion Transformer", 2021; the same, "GMML is All you Need", 2022',
  options: {
    ...maskingOptions,
    group_size: {
      type: z9.int().min(1),
      description: "most tokens along a side of a group",
      example: 8
    }
  },
  defaults(spec2, encoder2, chosen) {
    const grid = gridOf2(spec2);
    const side = grid ? Math.max(2, Math.round(Math.min(grid.rows, grid.columns) / 4)) : 8;
    return {
      ...maskingDefaults(spec2, encoder2, chosen),
      group_size: chosen.group_size ?? (spec2.kind === "fields" ? 4 : side)
    };
  },
  check: checkMasking,
  noise: (_options, spec2, { size, tokens }) => ({
    corrupted: { dtype: "bool", shape: [size, tokens] },
    ...tokenTypes(spec2, size, tokens, CORRUPTED)
  }),
  draw(options, spec2, { size, tokens }, batch2, _progress, source) {
    const { corrupted, ids: ids2, values } = corrupt(spec2, batch2, options, (row) => source("groups", row));
    return {
      corrupted: hostTensor("bool", [size, tokens], corrupted),
      ...tokenFeeds({ ...batch2, ids: ids2, values }, CORRUPTED)
    };
  },
  build(options, inputs) {
    const { spec: spec2, shape, noise, encode } = inputs;
    const encoding = encode({ tokens: tokenInputs(spec2, shape.size, shape.tokens, CORRUPTED) });
    const most = mostHidden(options, spec2, shape);
    const { values: used, indices: positions } = topK(cast(noise.corrupted, "float32"), most);
    return { ...reconstruct(options, inputs, encoding, { positions, used }), hidden: noise.corrupted };
  }
};

// src/objectives/mp3.ts
import { z as z10 } from "zod";
var contextCount = (length, ratio2) => Math.max(1, roundHalfToEven(ratio2 * length));
function contextTokens(ratio2, { size, tokens }, batch2, source) {
  const context = new Uint8Array(size * tokens);
  for (let row = 0; row < size; row++) {
    const length = batch2.lengths[row];
    const order = row < batch2.rows ? permutation(length, source(row)) : Int32Array.of(0);
    for (const token of order.subarray(0, contextCount(length, ratio2))) context[row * tokens + token] = 1;
  }
  return hostTensor("bool", [size, tokens], context);
}
function positionLogits(encoding, { lengths, batch: batch2, count: count3 }, { maxTokens }, encoder2) {
  return scope("position", () => {
    const states = layerNorm2("output_norm", readTokens(encoding, encoder2));
    const logits = slice(linear("output", states, maxTokens), 2, 0, count3);
    const real = less(reshape(iota(count3), [1, 1, count3]), reshape(lengths, [batch2, 1, 1]));
    return add(logits, where(real, scalar(0), scalar(-1e9)));
  });
}
function correct(logits, targets) {
  const found = reshape(topK(logits, 1).indices, logits.shape.slice(0, -1));
  return cast(equal(found, targets), "float32");
}
var mp3 = {
  paper: 'Zhai et al., "Position Prediction as an Effective Pretraining Strategy", ICML 2022',
  options: {
    context_ratio: {
      type: z10.number().gt(0).max(1),
      description: "part of the tokens that is attended to",
      example: 0.5
    }
  },
  defaults: (_spec, _encoder, chosen) => ({ context_ratio: chosen.context_ratio ?? 0.5 }),
  noise: (_options, _spec, { size, tokens }) => ({ context: { dtype: "bool", shape: [size, tokens] } }),
  draw: ({ context_ratio }, _spec, shape, batch2, _progress, source) => ({
    context: contextTokens(context_ratio, shape, batch2, (row) => source("context", row))
  }),
  build(_options, { spec: spec2, tokens, shape, noise, rows, encoder: encoder2, encode }) {
    const { size, tokens: count3 } = shape;
    const encoding = encode({ positions: false, readable: noise.context });
    const logits = positionLogits(encoding, tokens, spec2, encoder2);
    const targets = expand(reshape(iota(count3), [1, count3]), [size, count3]);
    const scored = multiply(realTokens(tokens), reshape(rows, [size, 1]));
    const { mean: mean2, weight: weight2 } = weightedMean(crossEntropy(logits, targets), scored);
    const guessing = expand(reshape(log(cast(tokens.lengths, "float32")), [size, 1]), [size, count3]);
    return {
      loss: mean2,
      weight: weight2,
      marginalLoss: weightedMean(guessing, scored).mean,
      metrics: { accuracy: weightedMean(correct(logits, targets), scored).mean }
    };
  }
};

// src/objectives/msbreg.ts
import { z as z12 } from "zod";

// src/objectives/regularizers.ts
import { z as z11 } from "zod";
var weight = z11.number().min(0).optional();
var regularizerOptions = {
  singular_value_weight: {
    type: weight,
    description: "weight of the term that makes embeddings fill all directions alike",
    example: 1
  },
  diffusive_weight: {
    type: weight,
    description: "weight of the term that pushes each embedding in a random direction",
    example: 0.1
  }
};
var viewRegularizerOptions = {
  centroid_weight: {
    type: weight,
    description: "weight of the term that pulls the embeddings of a record's views to their centroid",
    example: 1
  }
};
function singularValueLoss(embeddings, rows) {
  const width = staticSize(embeddings.shape[1]);
  const count3 = sumAll(rows);
  const weights = reshape(rows, [rows.shape[0], 1]);
  const directions = unit(embeddings);
  const centre = divide(sum(multiply(directions, weights), [0]), count3);
  const centred = multiply(subtract(directions, centre), weights);
  const covariance = divide(matmul(centred, centred, { transposeA: true }), count3);
  const variance = divide(sumAll(multiply(centred, centred)), count3);
  const squares = multiply(sumAll(multiply(covariance, covariance)), scalar(width));
  return add(subtract(squares, multiply(variance, scalar(2))), scalar(1));
}
function centroidLoss(predictions, targets, count3) {
  const centroid = splitViews(unit(targets), count3).reduce(add);
  const distances = splitViews(predictions, count3).map((view) => cosineDistance(view, centroid));
  return divide(distances.reduce(add), scalar(count3));
}
var diffusiveLoss = (embeddings, steps, rows) => negate(weightedMean(sum(multiply(unit(embeddings), steps), [-1]), rows).mean);
var DIFFUSIVE_STEPS = "diffusive_steps";
function randomDirections({ size, width }, batch2, source) {
  const data = new Float32Array(size * width);
  for (let row = 0; row < batch2.rows; row++) {
    const { normal } = source(DIFFUSIVE_STEPS, row);
    const direction = Float64Array.from({ length: width }, normal);
    const length = Math.hypot(...direction);
    data.set(
      direction.map((value) => value / length),
      row * width
    );
  }
  return hostTensor("float32", [size, width], data);
}
var regularized = (objective) => ({
  ...objective,
  options: { ...objective.options, ...regularizerOptions },
  defaults: (spec2, encoder2, chosen) => ({
    ...objective.defaults(spec2, encoder2, chosen),
    singular_value_weight: chosen.singular_value_weight,
    diffusive_weight: chosen.diffusive_weight
  }),
  noise: (options, spec2, shape) => ({
    ...objective.noise(options, spec2, shape),
    ...options.diffusive_weight && {
      [DIFFUSIVE_STEPS]: { dtype: "float32", shape: [shape.size, shape.width] }
    }
  }),
  draw: (options, spec2, shape, batch2, progress, source) => ({
    ...objective.draw(options, spec2, shape, batch2, progress, source),
    ...options.diffusive_weight && { [DIFFUSIVE_STEPS]: randomDirections(shape, batch2, source) }
  }),
  build: (options, inputs) => withTerms(objective, options, inputs, (pooled) => {
    const embeddings = slice(pooled, 0, 0, inputs.shape.size);
    return {
      singular_value_loss: [
        options.singular_value_weight,
        () => singularValueLoss(embeddings, inputs.rows)
      ],
      diffusive_loss: [
        options.diffusive_weight,
        () => diffusiveLoss(embeddings, inputs.noise[DIFFUSIVE_STEPS], inputs.rows)
      ]
    };
  })
});
var regularizedViews = (objective) => {
  const whole = regularized(objective);
  return {
    ...whole,
    options: { ...whole.options, ...viewRegularizerOptions },
    defaults: (spec2, encoder2, chosen) => ({
      ...whole.defaults(spec2, encoder2, chosen),
      centroid_weight: chosen.centroid_weight
    }),
    build: (options, inputs) => withTerms(whole, options, inputs, (pooled) => ({
      centroid_loss: [
        options.centroid_weight,
        () => {
          const views = staticSize(pooled.shape[0]) / inputs.shape.size;
          return weightedMean(centroidLoss(pooled, stopGradient(pooled), views), inputs.rows).mean;
        }
      ]
    }))
  };
};
function withTerms(objective, options, inputs, termsOf) {
  const pooled = [];
  const outputs = objective.build(options, {
    ...inputs,
    encode(given) {
      const encoding = inputs.encode(given);
      pooled.push(encoding.pooled);
      return encoding;
    }
  });
  let { loss, metrics } = outputs;
  for (const [name, [weight2, value]] of Object.entries(termsOf(pooled[0]))) {
    if (!weight2) continue;
    const term = value();
    loss = add(loss, multiply(term, scalar(weight2)));
    metrics = { ...metrics, [name]: term };
  }
  return { ...outputs, loss, metrics };
}

// src/objectives/msbreg.ts
var msbreg = {
  paper: '"An Embedding-Dynamic Approach to Self-Supervised Learning", WACV 2023: a reconstruction from its description',
  options: {
    ...viewChanges,
    ...projectionOptions,
    ...regularizerOptions,
    target_momentum: targetMomentum,
    views: { type: z12.int().min(2), description: "views of each record", example: 3 }
  },
  defaults: (spec2, { width }, chosen) => ({
    ...viewDefaults(spec2, chosen),
    ...projectionDefaults(width, chosen),
    singular_value_weight: chosen.singular_value_weight ?? 0.05,
    diffusive_weight: chosen.diffusive_weight ?? 0.01,
    target_momentum: chosen.target_momentum ?? 0.996,
    views: chosen.views ?? 3
  }),
  check: checkViews,
  noise: (options, spec2, shape) => ({
    ...viewNoise(options, spec2, shape, options.views),
    [DIFFUSIVE_STEPS]: { dtype: "float32", shape: [shape.size, options.projection_width] }
  }),
  draw: (options, spec2, { size }, batch2, _progress, source) => ({
    ...drawViewNoise(options, spec2, batch2, options.views, source),
    [DIFFUSIVE_STEPS]: randomDirections({ size, width: options.projection_width }, batch2, source)
  }),
  build(options, inputs) {
    const { views, singular_value_weight = 0, diffusive_weight = 0 } = options;
    const rows = stackedCopies(inputs.rows, views);
    const projected = () => project("projector", encodeViews(options, inputs, views), options, layerNormalization);
    const projection = projected();
    const predicted = project("predictor", projection, options, layerNormalization);
    const centroids = weightedMean(centroidLoss(predicted, inputs.target(projected), views), inputs.rows);
    const spectrum = singularValueLoss(projection, rows);
    const [first] = splitViews(projection, views);
    const diffusion = diffusiveLoss(first, inputs.noise[DIFFUSIVE_STEPS], inputs.rows);
    return {
      loss: [
        centroids.mean,
        multiply(spectrum, scalar(singular_value_weight)),
        multiply(diffusion, scalar(diffusive_weight))
      ].reduce(add),
      weight: centroids.weight,
      metrics: {
        centroid_loss: centroids.mean,
        singular_value_loss: spectrum,
        diffusive_loss: diffusion,
        projection_spread: spread(projection, rows)
      }
    };
  },
  momentum: ({ target_momentum }, progress) => cosineMomentum(target_momentum, progress)
};

// src/objectives/myow.ts
import { z as z13 } from "zod";
var VIEWS3 = 2;
var [WEIGHT, CHOICE] = ["mined_weight", "mined_choice"];
var shareOfRun = z13.number().min(0).max(1);
var minedWeight = ({ mined_weight, mining_start, mining_ramp }, progress) => {
  const since = progress - mining_start;
  if (since < 0) return 0;
  return since >= mining_ramp ? mined_weight : mined_weight * since / mining_ramp;
};
function mine(anchors, candidates, { rows, choice, neighbors }) {
  const [size] = rows.shape;
  const itself = Float32Array.from({ length: size * size }, (_, i) => i % (size + 1) === 0 ? 1 : 0);
  const others = subtract(reshape(rows, [1, size]), constant(hostTensor("float32", [size, size], itself)));
  const cosines = matmul(unit(anchors), unit(candidates), { transposeB: true });
  const { values, indices } = topK(where(less(scalar(0.5), others), cosines, scalar(-2)), neighbors);
  const chosen = (x) => reshape(gatherElements(x, choice, 1), [size]);
  return { place: chosen(indices), found: where(less(chosen(values), scalar(-1.5)), scalar(0), rows) };
}
function drawChoice(neighbors, batch2, source) {
  const choice = new Int32Array(batch2.size);
  for (let row = 0; row < batch2.rows; row++)
    choice[row] = Math.floor(source(CHOICE, row).uniform() * Math.min(neighbors, batch2.size));
  return hostTensor("int32", [batch2.size, 1], choice);
}
var myow = {
  paper: 'Azabou et al., "Mine Your Own vieW: Self-Supervised Learning Through Across-Sample Prediction", 2021',
  options: {
    ...byol.options,
    neighbors: {
      type: z13.int().min(1),
      description: "from how many nearest records of the batch the mined view is drawn",
      example: 3
    },
    mined_weight: {
      type: z13.number().min(0),
      description: "weight of mined views, beside 1 for the record's own",
      example: 1
    },
    mining_start: {
      type: shareOfRun,
      description: "part of the run after which the weight of mined views begins to rise from 0",
      example: 0.1
    },
    mining_ramp: {
      type: shareOfRun,
      description: "part of the run in which the weight of mined views rises",
      example: 0.1
    }
  },
  defaults: (spec2, encoder2, chosen) => ({
    ...byol.defaults(spec2, encoder2, chosen),
    neighbors: chosen.neighbors ?? 1,
    mined_weight: chosen.mined_weight ?? 1,
    mining_start: chosen.mining_start ?? 0.1,
    mining_ramp: chosen.mining_ramp ?? 0.1
  }),
  check: checkViews,
  noise: (options, spec2, shape) => ({
    ...byol.noise(options, spec2, shape),
    [WEIGHT]: { dtype: "float32", shape: [] },
    [CHOICE]: { dtype: "int32", shape: [shape.size, 1] }
  }),
  draw: (options, spec2, shape, batch2, progress, source) => ({
    ...byol.draw(options, spec2, shape, batch2, progress, source),
    [WEIGHT]: hostTensor("float32", [], Float32Array.of(minedWeight(options, progress))),
    [CHOICE]: drawChoice(options.neighbors, batch2, source)
  }),
  build(options, inputs) {
    const { encode, noise, target } = inputs;
    const rows = stackedCopies(inputs.rows, VIEWS3);
    const normalize = batchNormOver(rows, inputs.training);
    const projectedViews = () => {
      const embedding = encodeViews(options, inputs, VIEWS3);
      return { embedding, projection: project("projector", embedding, options, normalize) };
    };
    const online = projectedViews();
    const predicted = project("predictor", online.projection, options, normalize);
    const cascaded = project("mined_projector", online.projection, options, normalize);
    const minedPrediction = project("mined_predictor", cascaded, options, normalize);
    const targets = target(() => {
      const alone = batchNormOver(inputs.rows, inputs.training);
      const { pooled } = encode();
      const projection = project("projector", pooled, options, alone);
      return {
        views: projectedViews().projection,
        candidates: pooled,
        mined: project("mined_projector", projection, options, alone)
      };
    });
    const [anchors] = splitViews(stopGradient(online.embedding), VIEWS3);
    const { place, found } = mine(anchors, targets.candidates, {
      rows: inputs.rows,
      choice: noise[CHOICE],
      neighbors: Math.min(options.neighbors, inputs.shape.size)
    });
    const ownViews = weightedMean(cosineDistance(predicted, exchangedViews(targets.views)), rows).mean;
    const minedViews = weightedMean(
      cosineDistance(minedPrediction, stackedCopies(gather(targets.mined, place), VIEWS3)),
      stackedCopies(found, VIEWS3)
    ).mean;
    const own = multiply(ownViews, scalar(VIEWS3));
    const total = add(own, multiply(minedViews, noise[WEIGHT]));
    return {
      loss: divide(total, add(noise[WEIGHT], scalar(1))),
      weight: sumAll(inputs.rows),
      metrics: { mined_distance: minedViews, projection_spread: spread(online.projection, rows) }
    };
  },
  momentum: byol.momentum
};

// src/objectives/random-masking.ts
function uniformScores({ size, tokens }, batch2, source) {
  const scores = new Float32Array(size * tokens);
  for (let row = 0; row < batch2.rows; row++) {
    const { uniform } = source("scores", row);
    for (let i = 0; i < batch2.lengths[row]; i++) scores[row * tokens + i] = uniform();
  }
  return hostTensor("float32", [size, tokens], scores);
}
var randomPositions = {
  noise: (options, spec2, shape) => ({
    scores: { dtype: "float32", shape: [shape.size, shape.tokens] },
    used: { dtype: "float32", shape: [shape.size, mostHidden(options, spec2, shape)] }
  }),
  draw: (options, spec2, shape, batch2, _progress, source) => ({
    scores: uniformScores(shape, batch2, source),
    used: leadingOnes(
      batch2,
      mostHidden(options, spec2, shape),
      (length) => hiddenCount(spec2, length, options.masking_ratio)
    )
  })
};
var selectRandom = ({ noise, tokens }) => selectLargest(noise.scores, tokens, noise.used);
var randomMasking = {
  paper: "Devlin et al., NAACL 2019; He et al., CVPR 2022; the baseline of Xie et al., ICLR 2024",
  options: maskingOptions,
  defaults: maskingDefaults,
  check: checkMasking,
  ...randomPositions,
  build: (options, inputs) => maskedAutoencoding(options, inputs, () => selectRandom(inputs))
};

// src/objectives/self-distillation.ts
import { z as z14 } from "zod";
var selfDistillation = {
  paper: 'Lee, Kang, Lee, Hwang & Kawaguchi, "Self-Distillation for Further Pre-training of Transformers", ICLR 2023',
  options: {
    ...maskingOptions,
    restart: {
      type: z14.number().gt(0).lt(1),
      description: "part of the run after which the student of self-distillation begins anew",
      example: 0.5
    },
    distillation_weight: {
      type: z14.number().min(0),
      description: "factor of the distance to the teacher's states",
      example: 1
    }
  },
  defaults: (spec2, encoder2, chosen) => ({
    ...maskingDefaults(spec2, encoder2, chosen),
    restart: chosen.restart ?? 0.5,
    distillation_weight: chosen.distillation_weight ?? 1
  }),
  check(options, run) {
    checkMasking(options, run);
    if (!run.from) {
      throw new InputError(
        "objective.kind: self-distillation goes on from another run, and this one starts from none; give that run with --from RUN, or choose another --objective"
      );
    }
  },
  ...randomPositions,
  build(options, inputs) {
    const { rows, encode, target } = inputs;
    const masked = maskedAutoencoding(options, inputs, () => selectRandom(inputs));
    const { states, unreadable } = encode();
    const distances = squaredError(
      states,
      target(() => encode().states)
    );
    const real = expand(reshape(rows, [rows.shape[0], 1]), distances.shape);
    const readable = unreadable ? multiply(real, cast(logicalNot(unreadable), "float32")) : real;
    const distance = weightedMean(distances, readable).mean;
    return {
      ...masked,
      loss: add(masked.loss, multiply(distance, scalar(options.distillation_weight))),
      metrics: { reconstruction: masked.loss, teacher_distance: distance }
    };
  },
  momentum: ({ restart }, progress) => progress < restart ? 0 : 1,
  restart: ({ restart }) => restart
};

// src/objectives/selfie.ts
function contentNumbers(spec2, { rows, size, tokens, lengths, ids: ids2, values }) {
  const channels = values ? values.length / (size * tokens) : 0;
  const same = (a, b) => {
    if (ids2 && ids2[a] !== ids2[b]) return false;
    for (let c = 0; c < channels; c++)
      if (values[a * channels + c] !== values[b * channels + c]) return false;
    return true;
  };
  const numbers2 = new Int32Array(size * tokens);
  for (let row = 0; row < rows; row++) {
    for (let token = 0; token < lengths[row]; token++) {
      const at = row * tokens + token;
      const [first, step2] = spec2.kind === "fields" ? [token, tokens] : [row * tokens, 1];
      let number = 0;
      while (first + number * step2 < at && !same(first + number * step2, at)) number++;
      numbers2[at] = number;
    }
  }
  return hostTensor("int32", [size, tokens], numbers2);
}
var LOW = -1e9;
function logSumExp(x) {
  const top = stopGradient(maximum(x, [-1], { keepSizes: true }));
  return add(reshape(top, x.shape.slice(0, -1)), log(sum(exp(subtract(x, top)), [-1])));
}
function choose({ queries, candidates, contents, offered, asked }) {
  const [groups, n] = contents.shape;
  const width = staticSize(queries.shape[2]);
  const logits = multiply(matmul(queries, candidates, { transposeB: true }), scalar(width ** -0.5));
  const candidate = less(scalar(0.5), reshape(offered, [offered.shape[0], 1, n]));
  const same = equal(reshape(contents, [groups, n, 1]), reshape(contents, [groups, 1, n]));
  const right = logicalAnd(same, candidate);
  const wrong = logicalAnd(logicalNot(same), candidate);
  const count3 = (which) => sum(cast(which, "float32"), [-1]);
  const best = (which) => maximum(where(which, logits, scalar(LOW)), [-1]);
  const [rightCount, wrongCount] = [count3(right), count3(wrong)];
  const atLeastOne = where(less(rightCount, scalar(1)), scalar(1), rightCount);
  const open = less(scalar(0.5), wrongCount);
  return {
    loss: subtract(
      logSumExp(where(candidate, logits, scalar(LOW))),
      logSumExp(where(right, logits, scalar(LOW)))
    ),
    uniform: log(add(scalar(1), divide(wrongCount, atLeastOne))),
    accurate: cast(less(best(wrong), best(right)), "float32"),
    asked: where(open, asked, scalar(0))
  };
}
function withinRecords({ noise, spec: spec2, tokens, encoder: encoder2 }, queries, { positions, used }) {
  const { embedAt } = embedTokens(spec2, tokens, encoder2.embed_width);
  const first = cast(zerosOf(used), "int32");
  const contents = gatherElements(noise.contents, positions, 1);
  return { queries, candidates: embedAt(positions, first), contents, offered: used, asked: used };
}
function withinColumns({ noise, tokens, rows }, queries, { embedded }, { positions }, hidden) {
  const [batch2, k, width] = queries.shape;
  const places = expand(reshape(positions, [batch2, k, 1]), [batch2, k, width]);
  const everywhere = scatterElements(zerosOf(embedded), places, queries, 1, "none");
  const missing = equal(tokens.ids, constant(hostTensor("int32", [], Int32Array.of(MISSING_ID))));
  const byColumn = (x) => transpose(x, x.shape.length === 2 ? [1, 0] : [1, 0, 2]);
  return {
    queries: byColumn(everywhere),
    candidates: byColumn(embedded),
    contents: byColumn(noise.contents),
    offered: reshape(rows, [1, batch2]),
    asked: byColumn(cast(logicalAnd(hidden, logicalNot(missing)), "float32"))
  };
}
var selfie = {
  paper: 'Trinh, Luong & Le, "Selfie: Self-supervised Pretraining for Image Embedding", 2019',
  options: { masking_ratio: maskingOptions.masking_ratio, decoder_heads: maskingOptions.decoder_heads },
  defaults(spec2, encoder2, chosen) {
    const { masking_ratio, decoder_heads } = maskingDefaults(spec2, encoder2, chosen);
    return { masking_ratio, decoder_heads };
  },
  check: checkMasking,
  noise: (options, spec2, shape) => ({
    ...randomPositions.noise(options, spec2, shape),
    contents: { dtype: "int32", shape: [shape.size, shape.tokens] }
  }),
  draw: (options, spec2, shape, batch2, progress, source) => ({
    ...randomPositions.draw(options, spec2, shape, batch2, progress, source),
    contents: contentNumbers(spec2, batch2)
  }),
  build(options, inputs) {
    const { encoding, selection, hidden } = encodeVisible(options, inputs, () => selectRandom(inputs));
    const queries = askStates(encoding, selection.positions, options.decoder_heads);
    const { loss, uniform, accurate, asked } = choose(
      inputs.spec.kind === "fields" ? withinColumns(inputs, queries, encoding, selection, hidden) : withinRecords(inputs, queries, selection)
    );
    const { mean: mean2, weight: weight2 } = weightedMean(loss, asked);
    const marginalLoss = weightedMean(uniform, asked).mean;
    return {
      loss: mean2,
      weight: weight2,
      marginalLoss,
      hidden,
      metrics: { accuracy: weightedMean(accurate, asked).mean }
    };
  }
};

// src/objectives/sma.ts
import { z as z15 } from "zod";
var HEAD_CHOICES = ["mean", "random-mix"];
var NO_MAP = { heads: 1, queries: 0, tokensAsk: false };
var variesInLength = (spec2) => spec2.kind !== "continuous";
var drawnQueries = (options, queries, length) => Math.min(queries, Math.max(1, roundHalfToEven(length * options.masking_ratio / options.per_query)));
function chosenQueries(options, { size, tokens, attentionMap }, batch2, source) {
  const { heads, queries, tokensAsk } = attentionMap ?? NO_MAP;
  const chosen = new Float32Array(size * heads * queries);
  for (let row = 0; row < batch2.rows; row++) {
    const [asking, length] = tokensAsk ? [batch2.lengths[row], batch2.lengths[row]] : [queries, tokens];
    const order = permutation(asking, source("queries", row));
    const head = source("heads", row);
    for (const query of order.subarray(0, drawnQueries(options, asking, length))) {
      const place = (of) => (row * heads + of) * queries + query;
      if (options.attention_heads === "random-mix") chosen[place(head.integer(heads))] = 1;
      else for (let i = 0; i < heads; i++) chosen[place(i)] = 1 / heads;
    }
  }
  return hostTensor("float32", [size, heads, queries], chosen);
}
var remainingNoise = (options, progress) => {
  const share2 = progress / options.schedule_fraction;
  return share2 < 1 ? 0.5 * (1 + Math.cos(Math.PI * share2)) : 0;
};
function hiddenCounts(options, spec2, length, noise) {
  const { masking_ratio: ratio2, select_initial_ratio: initial = 0 } = options;
  const hidden = hiddenCount(spec2, length, ratio2);
  if (variesInLength(spec2)) {
    const picked = roundedShare(spec2, ratio2 * (1 - initial * noise), length);
    const drawn = roundedShare(spec2, ratio2 * initial * noise, length);
    const all = Math.max(Math.min(hidden, 1), Math.min(length - 1, picked + drawn));
    return { hidden: all, picked: Math.min(all, noise === 0 ? all : picked) };
  }
  const pool = roundHalfToEven((ratio2 + (initial - ratio2) * noise) * length);
  return { hidden, picked: Math.max(hidden, Math.min(length, pool)) };
}
var roundingSlack = (options, spec2) => options.select_initial_ratio !== void 0 && variesInLength(spec2) ? 1 : 0;
var hiddenPlaces = (options, spec2, shape) => Math.min(shape.tokens, mostHidden(options, spec2, shape) + roundingSlack(options, spec2));
var pickedPlaces = (options, spec2, shape) => variesInLength(spec2) ? hiddenPlaces(options, spec2, shape) : Math.min(
  shape.tokens,
  Math.max(
    mostHidden(options, spec2, shape),
    roundHalfToEven((options.select_initial_ratio ?? 0) * shape.tokens)
  )
);
function attendedTo({ mask_self }, attention, chosen) {
  const [batch2, heads, queries, count3] = attention.shape.map(
    (size, axis) => axis === 0 ? size : staticSize(size)
  );
  const rows = Number(heads) * Number(queries);
  const summed = matmul(reshape(chosen, [batch2, 1, rows]), reshape(attention, [batch2, rows, count3]));
  const scores = reshape(summed, [batch2, count3]);
  if (!mask_self) return scores;
  return where(less(scalar(0), sum(chosen, [1])), scalar(Number(heads)), scores);
}
var sma = {
  paper: 'Xie, Lee, Chen & Finn, "Self-Guided Masked Autoencoders for Domain-Agnostic Self-Supervised Learning", ICLR 2024',
  options: {
    ...maskingOptions,
    per_query: {
      type: z15.int().min(1),
      description: "tokens hidden per chosen row of the attention map",
      example: 4
    },
    attention_heads: {
      type: z15.enum(HEAD_CHOICES).optional(),
      description: "heads of the attention map: their mean, or one drawn for each row",
      example: "random-mix"
    },
    mask_self: {
      type: z15.boolean().optional(),
      description: "hide the tokens whose rows of the attention map are drawn first (transformer)",
      example: true
    },
    select_initial_ratio: {
      type: z15.number().min(0).max(1).optional(),
      description: "randomness of the mask at the first step, where a schedule is wanted",
      example: 0.5
    },
    schedule_fraction: {
      type: z15.number().min(0).max(1),
      description: "part of the run over which that randomness fades",
      example: 0.25
    }
  },
  defaults(spec2, encoder2, chosen) {
    const masking = maskingDefaults(spec2, encoder2, chosen);
    const { per_query, attention_heads, mask_self, select_initial_ratio, schedule_fraction = 0.25 } = chosen;
    return {
      ...masking,
      per_query: per_query ?? Math.max(1, Math.round(masking.masking_ratio * spec2.maxTokens / 4)),
      ...attention_heads !== void 0 && { attention_heads },
      ...mask_self !== void 0 && { mask_self },
      ...select_initial_ratio !== void 0 && { select_initial_ratio },
      schedule_fraction
    };
  },
  check(options, run) {
    checkMasking(options, run);
    const map = encoderNamed(run.encoder.kind).attentionMap?.(run.encoder, run.spec.maxTokens);
    if (options.mask_self && map && !map.tokensAsk) {
      throw new InputError(
        `objective.mask_self: the rows of the first attention map of the encoder ${run.encoder.kind} are those of latents, not of tokens; leave it out, or use --encoder transformer`
      );
    }
  },
  noise(options, spec2, shape) {
    const { size, tokens, attentionMap: { heads, queries } = NO_MAP } = shape;
    return {
      chosen_queries: { dtype: "float32", shape: [size, heads, queries] },
      used: { dtype: "float32", shape: [size, hiddenPlaces(options, spec2, shape)] },
      ...options.select_initial_ratio !== void 0 && {
        scores: { dtype: "float32", shape: [size, tokens] },
        stage_one: { dtype: "float32", shape: [size, pickedPlaces(options, spec2, shape)] }
      }
    };
  },
  draw(options, spec2, shape, batch2, progress, source) {
    const noise = options.select_initial_ratio === void 0 ? 0 : remainingNoise(options, progress);
    const counts = (length) => hiddenCounts(options, spec2, length, noise);
    return {
      chosen_queries: chosenQueries(options, shape, batch2, source),
      used: leadingOnes(batch2, hiddenPlaces(options, spec2, shape), (length) => counts(length).hidden),
      ...options.select_initial_ratio !== void 0 && {
        scores: uniformScores(shape, batch2, source),
        stage_one: leadingOnes(batch2, pickedPlaces(options, spec2, shape), (length) => counts(length).picked)
      }
    };
  },
  build(options, inputs) {
    const { noise, tokens, spec: spec2, shape } = inputs;
    const select = (attention) => {
      if (attention === void 0) throw noAttention();
      const attended = attendedTo(options, attention, noise.chosen_queries);
      if (options.select_initial_ratio === void 0) return selectLargest(attended, tokens, noise.used);
      const picked = selectedMask(selectLargest(attended, tokens, noise.stage_one), tokens);
      return selectLargest(scheduledScores(spec2, picked, noise.scores), tokens, noise.used);
    };
    const visible = mostVisible(options, spec2, shape) + roundingSlack(options, spec2);
    return maskedAutoencoding(options, inputs, select, Math.min(shape.tokens, visible));
  }
};
function noAttention() {
  const fitting = Object.entries(encoders).flatMap(
    ([name, encoder2]) => encoder2.attentionMap ? [name] : []
  );
  return new InputError(
    `the objective sma hides what the encoder's first attention map attends to, and this encoder has no such map; use --encoder ${fitting.join(" or ")}, or --objective random-masking`
  );
}
function scheduledScores(spec2, picked, uniform) {
  return variesInLength(spec2) ? add(where(picked, scalar(1), scalar(0)), uniform) : where(picked, uniform, scalar(-0.5));
}

// src/objectives/t-jepa.ts
import { z as z16 } from "zod";
var ratio = (description, example) => ({
  type: z16.number().gt(0).lt(1),
  description,
  example
});
var contextCount2 = (spec2, length, share2) => Math.max(1, hiddenCount(spec2, length, share2));
var mostTargets = ({ target_max_ratio }, spec2, { tokens }) => Math.max(1, hiddenCount(spec2, tokens, target_max_ratio));
var between = (low, high, { uniform }) => low + (high - low) * uniform();
function drawMasks(options, spec2, shape, batch2, source) {
  const { size, tokens } = shape;
  const k = mostTargets(options, spec2, shape);
  const masks = options.target_masks;
  const hidden = new Uint8Array(size * tokens);
  const positions = new Int32Array(masks * size * k);
  const used = new Float32Array(masks * size * k);
  for (let row = 0; row < batch2.rows; row++) {
    const length = batch2.lengths[row];
    const stream = source("masks", row);
    const share2 = between(options.context_min_ratio, options.context_max_ratio, stream);
    const outside = permutation(length, stream).subarray(contextCount2(spec2, length, share2));
    for (const token of outside) hidden[row * tokens + token] = 1;
    for (let mask = 0; mask < masks; mask++) {
      const targetShare = between(options.target_min_ratio, options.target_max_ratio, stream);
      const count3 = Math.min(outside.length, hiddenCount(spec2, length, targetShare));
      const start = (mask * size + row) * k;
      for (const [i, place] of permutation(outside.length, stream).subarray(0, count3).entries())
        positions[start + i] = outside[place];
      used.fill(1, start, start + count3);
    }
  }
  return {
    hidden: hostTensor("bool", [size, tokens], hidden),
    target_positions: hostTensor("int32", [masks * size, k], positions),
    target_used: hostTensor("float32", [masks * size, k], used)
  };
}
function questions({ tokenStates, states, unreadable }, noise, rows, { maxTokens }, { target_masks: masks, predictor_width: width }) {
  const [size, count3, channels] = states.shape.map(staticSize);
  const deviation = 1 / Math.sqrt(width);
  const places = parameter(
    "predictor.queries",
    [Math.max(count3, maxTokens), width],
    { kind: "normal", deviation },
    { decay: false }
  );
  const normalized2 = (x) => layerNorm(x, filled([channels], 1), filled([channels], 0), 1e-5);
  if (tokenStates) {
    const { target_positions: positions, target_used: used } = noise;
    return {
      queries: gather(places, positions),
      targets: normalized2(valuesAt(stackedCopies(tokenStates, masks), positions)),
      used: multiply(used, reshape(stackedCopies(rows, masks), [masks * size, 1]))
    };
  }
  const real = unreadable ? cast(logicalNot(unreadable), "float32") : filled([size, count3], 1);
  return {
    queries: expand(slice(places, 0, 0, count3), [size, count3, width]),
    targets: normalized2(states),
    used: multiply(real, reshape(rows, [size, 1]))
  };
}
function predictStates({ states, unreadable }, { queries, used }, { predictor_width, predictor_layers }, { heads, widening, width }) {
  return scope("predictor", () => {
    const [size, count3] = states.shape.map(staticSize);
    const [rows, k] = queries.shape.map(staticSize);
    const context = linear("input", layerNorm2("input_norm", states), predictor_width);
    const missing = unreadable ? cast(unreadable, "float32") : filled([size, count3], 0);
    const unasked = cast(logicalNot(cast(used, "bool")), "float32");
    const excluded = cast(concatenate([stackedCopies(missing, rows / size), unasked], 1), "bool");
    let all = concatenate([stackedCopies(context, rows / size), queries], 1);
    for (let layer = 0; layer < predictor_layers; layer++) {
      all = attentionBlock(`layers.${layer}`, all, {
        heads: predictor_width % heads === 0 ? heads : 1,
        widening,
        excluded
      });
    }
    return linear("output", layerNorm2("output_norm", slice(all, 1, count3, count3 + k)), width);
  });
}
var LONGEST_FOR_TRANSFORMER = 256;
var tJepa = {
  paper: 'Thimonier et al., "T-JEPA: Augmentation-Free Self-Supervised Learning for Tabular Data", ICLR 2025; Assran et al., CVPR 2023',
  options: {
    context_min_ratio: ratio("least part of the tokens that is read to predict others", 0.3),
    context_max_ratio: ratio("greatest part of the tokens that is read to predict others", 0.5),
    target_min_ratio: ratio("least part of the tokens in one target mask", 0.15),
    target_max_ratio: ratio("greatest part of the tokens in one target mask", 0.35),
    target_masks: { type: z16.int().min(1), description: "target masks for each context", example: 4 },
    predictor_width: { type: z16.int().min(1), description: "channels of the predictor", example: 64 },
    predictor_layers: { type: z16.int().min(1), description: "layers of the predictor", example: 2 },
    target_momentum: targetMomentum
  },
  defaults: (_spec, { width }, chosen) => ({
    context_min_ratio: chosen.context_min_ratio ?? Math.min(0.3, chosen.context_max_ratio ?? 0.3),
    context_max_ratio: chosen.context_max_ratio ?? Math.max(0.5, chosen.context_min_ratio ?? 0.5),
    target_min_ratio: chosen.target_min_ratio ?? Math.min(0.15, chosen.target_max_ratio ?? 0.15),
    target_max_ratio: chosen.target_max_ratio ?? Math.max(0.35, chosen.target_min_ratio ?? 0.35),
    target_masks: chosen.target_masks ?? 4,
    predictor_width: chosen.predictor_width ?? Math.ceil(width / 2),
    predictor_layers: chosen.predictor_layers ?? 2,
    target_momentum: chosen.target_momentum ?? 0.996
  }),
  encoderDefaults: ({ maxTokens }) => maxTokens <= LONGEST_FOR_TRANSFORMER ? { kind: "transformer", registers: 1 } : void 0,
  check(options) {
    for (const part of ["context", "target"]) {
      const [least, most] = [options[`${part}_min_ratio`], options[`${part}_max_ratio`]];
      if (least > most) {
        throw new InputError(
          `objective.${part}_min_ratio: expected at most ${part}_max_ratio = ${most}, got ${least}; try ${most}`
        );
      }
    }
    const { context_max_ratio: context, target_max_ratio: target } = options;
    if (context + target > 1 + 1e-9) {
      throw new InputError(
        `objective.target_max_ratio: expected at most 1 - context_max_ratio = ${Number((1 - context).toFixed(6))}, since targets are outside the context, got ${target}; lower one of the two`
      );
    }
  },
  noise(options, spec2, shape) {
    const masks = [options.target_masks * shape.size, mostTargets(options, spec2, shape)];
    return {
      hidden: { dtype: "bool", shape: [shape.size, shape.tokens] },
      target_positions: { dtype: "int32", shape: masks },
      target_used: { dtype: "float32", shape: masks }
    };
  },
  draw: (options, spec2, shape, batch2, _progress, source) => drawMasks(options, spec2, shape, batch2, source),
  build(options, { spec: spec2, shape, noise, rows, encoder: encoder2, encode, target }) {
    const { hidden, target_positions, target_used } = noise;
    const visible = contextCount2(spec2, shape.tokens, options.context_max_ratio);
    const context = encode({ hiding: { choose: () => hidden, visible } });
    const { pooled, ...whole } = target(() => {
      const { states, tokenStates, unreadable, pooled: pooled2 } = encode();
      return { states, tokenStates, unreadable, pooled: pooled2 };
    });
    const asked = questions(whole, { target_positions, target_used }, rows, spec2, options);
    const predicted = predictStates(context, asked, options, encoder2);
    const { mean: mean2, weight: weight2 } = weightedMean(squaredError(predicted, asked.targets), asked.used);
    return { loss: mean2, weight: weight2, hidden, metrics: { target_spread: spread(pooled, rows) } };
  },
  momentum: ({ target_momentum }, progress) => cosineMomentum(target_momentum, progress)
};

// src/objectives/index.ts
import { z as z17 } from "zod";
var objectives = {
  sma: regularized(sma),
  "random-masking": regularized(randomMasking),
  "group-masking": regularized(groupMasking),
  selfie: regularized(selfie),
  "self-distillation": regularized(selfDistillation),
  mp3: regularized(mp3),
  "t-jepa": regularized(tJepa),
  byol: regularizedViews(byol),
  myow: regularizedViews(myow),
  msbreg,
  simclr: regularizedViews(simclr),
  "g-simclr": regularizedViews(gSimclr)
};
var objectiveNamed = (kind) => objectives[kind];

// src/learning/parameters.ts
function parameterLayout(parameters) {
  const slots = [];
  let length = 0;
  let decayed2 = 0;
  for (const decay of [true, false]) {
    for (const { name, outputs, initializer } of parameters.filter((node) => node.decay === decay)) {
      const shape = outputs[0].shape.map(staticSize);
      slots.push({ name, shape, offset: length, length: elementCount(shape), initializer });
      length += elementCount(shape);
    }
    if (decay) decayed2 = length;
  }
  return { slots, length, decayed: decayed2 };
}
var TARGET = "target";
function initializeParameters({ slots, length }, seed) {
  const flat = new Float32Array(length);
  for (const { name, offset, length: count3, initializer } of slots) {
    const view = flat.subarray(offset, offset + count3);
    if (initializer.kind === "constant") view.fill(initializer.value);
    else {
      const source = random(seed, `parameter ${name}`);
      for (let i = 0; i < count3; i++) view[i] = initializer.deviation * source.normal();
    }
  }
  return flat;
}

// src/learning/model.ts
var DROPOUT_SEEDS = "dropout_seeds";
var dropoutFeeds = ({ dropout }, size, source) => dropsAny(dropout) ? {
  [DROPOUT_SEEDS]: hostTensor(
    "int32",
    [size],
    Int32Array.from({ length: size }, (_, row) => source("dropout", row).integer(2 ** 32) | 0)
  )
} : {};
function dropoutOf(rates, size, rows, call) {
  if (!dropsAny(rates)) return void 0;
  if (rows % size !== 0) throw new Error(`dropout: ${rows} rows are not views of ${size} records`);
  const views = rows / size;
  const salts = Int32Array.from({ length: views }, (_, view) => call * 65537 + view * 257);
  const seeds = add(
    reshape(input(DROPOUT_SEEDS, "int32", [size]), [1, size]),
    constant(hostTensor("int32", [views, 1], salts))
  );
  return { ...rates, seeds: reshape(seeds, [rows]) };
}
var objectiveOf = (model2) => objectiveNamed(model2.objective.kind);
function batchShape({ encoder: encoder2 }, size, tokens) {
  const attentionMap = encoderNamed(encoder2.kind).attentionMap?.(encoder2, tokens);
  return { size, tokens, width: encoder2.width, ...attentionMap && { attentionMap } };
}
var stopGradients = (values) => isValue(values) ? stopGradient(values) : Object.fromEntries(
  Object.entries(values).map(([name, value]) => [name, isValue(value) ? stopGradient(value) : value])
);
var isValue = (value) => typeof value === "object" && value !== null && "node" in value;
var pretrainingGraph = (model2, shape, { training = true } = {}) => sharingLeaves(() => {
  const { spec: spec2 } = model2;
  const encoder2 = encoderNamed(model2.encoder.kind);
  const objective = objectiveOf(model2);
  const batch2 = tokenInputs(spec2, shape.size, shape.tokens);
  const noise = Object.fromEntries(
    Object.entries(objective.noise(model2.objective, spec2, shape)).map(([name, type]) => [
      name,
      input(name, type.dtype, type.shape)
    ])
  );
  const encodings = [];
  let inTarget = false;
  const outputs = objective.build(model2.objective, {
    spec: spec2,
    tokens: batch2,
    noise,
    shape,
    rows: input("rows", "float32", [shape.size]),
    marginal: input("marginal", "float32", [spec2.maxTokens, decoderOutputs(spec2)]),
    encoder: model2.encoder,
    training,
    encode({ tokens = batch2, ...options } = {}) {
      const dropout = training && !inTarget ? dropoutOf(model2.dropout, shape.size, Number(tokens.batch), encodings.length) : void 0;
      const encoding = encoder2.encode(spec2, tokens, model2.encoder, {
        ...options,
        training,
        ...dropout && { dropout }
      });
      encodings.push(encoding);
      return encoding;
    },
    target(build) {
      inTarget = true;
      try {
        return stopGradients(outerScope(TARGET, build));
      } finally {
        inTarget = false;
      }
    }
  });
  const { states, pooled } = encoder2.encode(spec2, batch2, model2.encoder, { training });
  const all = parametersOf([outputs.loss, states, pooled]);
  const isTarget = ({ name }) => name.startsWith(`${TARGET}.`);
  const targets = all.filter(isTarget);
  if (targets.length > 0 && !objective.momentum)
    throw new Error(`${model2.objective.kind}: a target network needs a momentum`);
  return { ...outputs, encodings, parameters: all.filter((node) => !isTarget(node)), targets };
});
var gradientName = (parameter2) => `gradient.${parameter2}`;
var stackedLayer = (scope2) => /^encoder\.layers\.\d+/.exec(scope2)?.[0];
function gradientProgram(name, loss, parameters, outputs, { recompute = false } = {}) {
  const values = gradients(
    loss,
    parameters.map((node) => node.outputs[0]),
    recompute ? { recompute: stackedLayer } : {}
  );
  const named = Object.fromEntries(parameters.map((node, i) => [gradientName(node.name), values[i]]));
  return { name, outputs: { loss, ...outputs, ...named } };
}

// src/learning/trainer.ts
var TRACKING_RATE = 0.1;
function trackedValues({ loss, parameters }) {
  const own = new Set(parameters.map(({ name }) => name));
  const tracked = trackedOf([loss]).filter(({ name }) => own.has(name));
  return new Map(tracked.map(({ name, value }) => [name, value]));
}

// src/learning/device-trainer.ts
function fromFlatVectors(values, layout3) {
  const vector = (name) => input(name, "float32", [layout3.length]);
  const [parameters, average] = [vector("state.parameters"), vector("state.average")];
  const slots = new Map(layout3.slots.map((slot) => [slot.name, slot]));
  return replaceParameters(values, ({ name, outputs: [{ shape }] }) => {
    const slot = slots.get(name) ?? slots.get(name.slice(TARGET.length + 1));
    if (slot === void 0) throw new Error(`${name}: is no part of the trained parameters`);
    const flat = slots.has(name) ? parameters : average;
    const { offset } = slot;
    return reshape(slice(flat, 0, offset, offset + elementCount(shape.map(staticSize))), shape);
  });
}
var stepProgram = (graph2, layout3, {
  clipNorm,
  recompute,
  rated,
  follows
}) => sharingLeaves(() => {
  const { loss, parameters, metrics } = graph2;
  const { outputs } = gradientProgram("step", loss, parameters, {}, { recompute });
  const gradients2 = layout3.slots.map(({ name }) => outputs[gradientName(name)]);
  const tracked = trackedValues(graph2);
  const told = [loss, ...Object.values(metrics)];
  const values = fromFlatVectors([...gradients2, ...told, ...tracked.values()], layout3);
  const [flatGradients, [stepLoss, ...stepMetrics], seen] = [
    values.slice(0, gradients2.length),
    values.slice(gradients2.length, gradients2.length + told.length),
    values.slice(gradients2.length + told.length)
  ];
  return scope("optimizer", () => {
    const vector = (name) => input(name, "float32", [layout3.length]);
    const number = (name) => input(`optimizer.${name}`, "float32", []);
    const gradient = joined(flatGradients);
    const padded = pad(gradient, 0, 0, -layout3.length & 63);
    const norm = sqrt(sumAll(multiply(padded, padded)));
    const scale = where(less(scalar(clipNorm), norm), divide(scalar(clipNorm), norm), scalar(1));
    const { first, second, change } = adamWMoments(
      { gradient, first: vector("state.first"), second: vector("state.second") },
      {
        firstShare: multiply(scale, scalar(1 - BETA1)),
        secondShareRoot: multiply(scale, scalar(Math.sqrt(1 - BETA2))),
        epsilon: number("epsilon"),
        rate: number("rate")
      }
    );
    const rates = rated ? vector("optimizer.rates") : void 0;
    const kept = decayed(vector("state.parameters"), number("decay"), rates, layout3);
    const moved = new Map([...tracked.keys()].map((name, i) => [name, seen[i]]));
    const fresh = subtract(
      kept,
      withTracked(rates ? multiply(change, rates) : change, kept, moved, layout3)
    );
    const followed = () => {
      const [average, momentum] = [vector("state.average"), number("momentum")];
      return add(multiply(average, momentum), multiply(fresh, subtract(scalar(1), momentum)));
    };
    return {
      name: "step",
      outputs: {
        report: joined([stepLoss, norm, ...stepMetrics]),
        new_parameters: fresh,
        new_first: first,
        new_second: second,
        ...follows && { new_average: followed() }
      }
    };
  });
});
function decayed(old, decay, rates, { decayed: end, length }) {
  if (end === 0) return old;
  const part = rates ? multiply(slice(rates, 0, 0, end), decay) : decay;
  return joined([
    multiply(slice(old, 0, 0, end), subtract(scalar(1), part)),
    ...end < length ? [slice(old, 0, end, length)] : []
  ]);
}
function withTracked(change, parameters, tracked, layout3) {
  if (tracked.size === 0) return change;
  const parts = [];
  let start = 0;
  const changeUntil = (end) => {
    if (start < end) parts.push(slice(change, 0, start, end));
  };
  for (const { name, shape, offset, length } of layout3.slots) {
    const seen = tracked.get(name);
    if (seen === void 0) continue;
    changeUntil(offset);
    start = offset + length;
    const running = reshape(slice(parameters, 0, offset, start), shape);
    parts.push(multiply(subtract(running, seen), scalar(TRACKING_RATE)));
  }
  changeUntil(layout3.length);
  return joined(parts);
}
var joined = (parts) => concatenate(
  parts.map((part) => reshape(part, [-1])),
  0
);

// src/learning/monitors.ts
function monitoringGraph({ spec: spec2, encoder: encoder2 }, size, count3) {
  const tokens = tokenInputs(spec2, size, count3);
  const hidden = input("hidden", "bool", [size, count3]);
  const hiding = { choose: () => hidden, visible: count3 };
  return encoderNamed(encoder2.kind).encode(spec2, tokens, encoder2, { hiding }).pooled;
}

// src/learning/self-supervision.ts
function pretrainingGraphFor(model2, size, tokens) {
  const shape = batchShape(model2, size, tokens);
  const trained = pretrainingGraph(model2, shape);
  const { loss, weight: weight2, metrics = {}, parameters, targets } = trained;
  const evaluated = trackedOf([loss]).length > 0 || dropsAny(model2.dropout) ? pretrainingGraph(model2, shape, { training: false }) : trained;
  const { marginalLoss } = evaluated;
  const evaluation = {
    loss: evaluated.loss,
    weight: evaluated.weight,
    ...marginalLoss && { marginal_loss: marginalLoss }
  };
  const embedding = monitoringGraph(model2, size, tokens);
  return { loss, weight: weight2, parameters, targets, metrics, evaluation, embedding };
}
function batchFeeds(model2, batch2, noise) {
  const { size, tokens } = batch2;
  const { seed, purpose, step: step2, progress, firstRow = 0 } = noise;
  const shape = batchShape(model2, size, tokens);
  const source = (name, row) => random(seed, `${purpose} ${name}`, step2, firstRow + row);
  return {
    ...tokenFeeds(batch2),
    rows: hostTensor("float32", [size], new Float32Array(size).fill(1, 0, batch2.rows)),
    ...objectiveOf(model2).draw(model2.objective, model2.spec, shape, batch2, progress, source),
    ...dropoutFeeds(model2, size, source)
  };
}

// .wait.ts
var spec = { kind: "discrete", vocabulary: 26, maxTokens: 32 };
var encoder = { kind: "transformer", width: 32, embed_width: 32, layers: 4, heads: 4, widening: 2 };
var model = { spec, encoder, objective: { kind: "random-masking", ...objectives["random-masking"].defaults(spec, encoder, {}) } };
var B = 8;
var graph = pretrainingGraphFor(model, B, 32);
var layout2 = parameterLayout(graph.parameters);
var device = await webgpuEngine();
var program = await device.compile(stepProgram(graph, layout2, { clipNorm: 1, rated: false, follows: false }));
var n0 = (v) => hostTensor("float32", [], Float32Array.of(v));
var ids = Int32Array.from({ length: B * 32 }, (_, i) => 4 + i * 7 % 22);
var batch = { size: B, tokens: 32, rows: B, lengths: new Int32Array(B).fill(32), ids, fileRows: new Int32Array(B) };
var feeds = batchFeeds(model, batch, { seed: 1, purpose: "training", step: 0, progress: 0 });
var state;
var up = (v) => device.upload(hostTensor("float32", [v.length], v));
state = { "state.parameters": await up(initializeParameters(layout2, 0)), "state.first": await up(new Float32Array(layout2.length)), "state.second": await up(new Float32Array(layout2.length)) };
var numbers = { "optimizer.rate": n0(1e-4), "optimizer.epsilon": n0(1e-8), "optimizer.decay": n0(1e-5) };
var tRun = 0;
var tWait = 0;
var count2 = 0;
async function step(read) {
  const t0 = performance.now();
  const { report, new_parameters, new_first, new_second } = await program.run({ ...feeds, ...numbers, ...state });
  const t1 = performance.now();
  if (read) await device.download(report);
  report.dispose();
  tRun += t1 - t0;
  tWait += performance.now() - t1;
  count2++;
  for (const t of Object.values(state)) t.dispose();
  state = { "state.parameters": new_parameters, "state.first": new_first, "state.second": new_second };
}
for (let i = 0; i < 5; i++) await step(true);
var result = { 1: [], 10: [] };
for (let round = 0; round < 7; round++) for (const every of [1, 10]) {
  tRun = tWait = count2 = 0;
  const t = performance.now();
  for (let i = 1; i <= 20; i++) await step(i % every === 0);
  result[every].push((performance.now() - t) / 20);
  console.log("every", every, ((performance.now() - t) / 20).toFixed(1), "ms a step; in run", (tRun / count2).toFixed(1), "waiting", (tWait / count2).toFixed(1));
}
for (const [k, v] of Object.entries(result)) console.log(k, "median", v.sort((a, b) => a - b)[3].toFixed(1));
process.exit(0);
