/** As many digits as tell one float32 from the next. */
export const float32Digits = (value: number): number => Number(value.toPrecision(9));
