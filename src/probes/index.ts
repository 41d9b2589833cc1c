import { type Protocol, protocol, protocolOf } from './protocol.js';

/** Evaluations of a frozen encoder, by the name `probe.kind` has. Each is loaded when it is first run. */
export const protocols = {
  linear: protocolOf(async () => (await import('./linear-probe.js')).linearProbe),
  'nearest-neighbors': protocolOf(async () => (await import('./nearest-neighbors.js')).nearestNeighborsProbe),
  'nearest-class-mean': protocolOf(
    async () => (await import('./nearest-class-mean.js')).nearestClassMeanProbe,
    { tasks: ['binary', 'multiclass', 'multilabel', 'per-token'] },
  ),
  'boosted-trees': protocolOf(async () => (await import('./boosted-trees-probe.js')).boostedTrees, {
    onRequest: true,
  }),
  'class-incremental': protocol(async () => (await import('./class-incremental.js')).classIncremental, {
    tasks: ['multiclass'],
    onRequest: true,
  }),
  'class-discovery': protocol(async () => (await import('./class-discovery.js')).classDiscovery, {
    tasks: ['binary', 'multiclass'],
    onRequest: true,
  }),
  'latent-label-shift': protocol(async () => (await import('./latent-label-shift.js')).latentLabelShift, {
    tasks: ['binary', 'multiclass'],
    onRequest: true,
    domains: true,
  }),
} satisfies Record<string, Protocol>;

export type ProtocolName = keyof typeof protocols;
