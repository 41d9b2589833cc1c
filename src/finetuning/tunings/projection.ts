import { add, matmul, type ParameterNode, parameter, reshape, staticSize } from '../../graph/index.js';
import { AUXILIARY, type Tuning } from './tuning.js';

const PROJECTION = `${AUXILIARY}projection`;

/** What is added up to the embedding of a token, before its norm: rows float32[…, embed_width]. */
const embeds = (name: string): boolean =>
  /^embedding\.(tokens|positions|unplaced|projection\.(weight|bias))$/.test(name);

/**
 * One linear projection of what enters a frozen encoder, after eP-ALM (Shukor, Dancette & Cord, ICCV 2023), a reconstruction from its
 * abstract, which trains nothing else but a token that is put beside: embeddings x become x + x P, with P float32[embed_width, embed_width] at 0 first. Departures: the input is embedded tokens, and
 * not what another encoder makes of another kind of data; the trained token is that with which the head asks (`head` attention),
 * since a token in the encoder's input would not be one of its parameters.
 */
export const projection: Tuning = {
  paper: 'Shukor et al., ICCV 2023',
  options: {},
  defaults: {},
  learningRate: 0.003,
  moves: () => false,
  instead(node: ParameterNode, fixed) {
    if (!embeds(node.name)) return fixed;
    const { shape } = node.outputs[0];
    const width = staticSize(shape.at(-1)!);
    const weight = parameter(PROJECTION, [width, width], { kind: 'constant', value: 0 });
    return add(fixed, reshape(matmul(reshape(fixed, [-1, width]), weight), shape));
  },
  merge(parameters) {
    const { data: weight, shape } = parameters[PROJECTION];
    const [width] = shape;
    for (const [name, { data }] of Object.entries(parameters)) {
      if (!embeds(name)) continue;
      for (let start = 0; start < data.length; start += width) {
        const row = data.slice(start, start + width);
        for (let i = 0; i < width; i++)
          for (let j = 0; j < width; j++) data[start + j] += row[i] * weight[i * width + j];
      }
    }
    weight.fill(0);
  },
};
