/** Linear warm-up to `peak` over `warmupSteps`, then a cosine down to 0 at `steps`. `step` counts from 0. */
export function learningRateAt(step: number, steps: number, warmupSteps: number, peak: number): number {
  if (step < warmupSteps) return (peak * (step + 1)) / warmupSteps;
  const share = (step - warmupSteps) / Math.max(1, steps - warmupSteps);
  return peak * 0.5 * (1 + Math.cos(Math.PI * Math.min(1, share)));
}
