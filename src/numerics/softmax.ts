/** Probabilities of one logit for each class, float64[classes]; where a logit is not a number, none is. */
export function softmax(logits: ArrayLike<number>): Float64Array {
  let largest = Number.NEGATIVE_INFINITY;
  for (let i = 0; i < logits.length; i++) if (logits[i] > largest) largest = logits[i];
  const powers = new Float64Array(logits.length);
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += powers[i] = Math.exp(logits[i] - largest);
  for (let i = 0; i < powers.length; i++) powers[i] /= sum;
  return powers;
}

/** The probability that a logit stands for. */
export const logistic = (logit: number): number => 1 / (1 + Math.exp(-logit));
