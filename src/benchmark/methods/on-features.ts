import { chooseCandidate, type Probe } from '../../probes/protocol.js';
import type { Part } from '../../records/split.js';
import type { Fitted, Method, Session } from '../suite.js';

/** Records as features that no encoder made. */
export interface Features<F> {
  readonly name: string;
  /** Numbers in one record's features. */
  readonly dimension: (session: Session) => number | Promise<number>;
  readonly of: (session: Session, part: Part) => F | Promise<F>;
}

/** Fits a probe on features of the training part; the validation part chooses among its candidates. */
export async function fitOnFeatures<F>(
  session: Session,
  features: { readonly dimension: number; of(part: Part): F | Promise<F> },
  probe: Probe<F>,
): Promise<Fitted> {
  const { labelled, engine } = session;
  const { spec, metric, train, valid, test } = labelled;
  const { dimension } = features;
  const held = { features: await features.of('valid'), labels: valid.labels };
  const known = {
    count: train.labels.length / spec.targets,
    dimension,
    features: await features.of('train'),
    labels: train.labels,
    valid: held,
  };
  const { candidate, score } = await chooseCandidate(probe(known, spec, engine), held, spec, metric);
  return {
    valid: score,
    chosen: candidate.chosen,
    score: async (options) => test.score(metric, await candidate.predict(await features.of('test')), options),
  };
}

/** A simple predictor on simple features. */
export function onFeatures<F>(options: {
  readonly name: string;
  readonly description: string;
  readonly features: Features<F>;
  readonly probe: Probe<F>;
  /** One more whenever the same settings give other scores: cells of before are not kept. */
  readonly revision?: number;
}): Method {
  const { name, description, features, probe, revision } = options;
  return {
    name,
    description,
    random: false,
    uses: [],
    config: { name, features: features.name, revision },
    choices: () => [{}],
    fit: async (session) =>
      fitOnFeatures(
        session,
        { dimension: await features.dimension(session), of: (part) => features.of(session, part) },
        probe,
      ),
  };
}
