const FIRST_SLOTS = 1024;

const float = new Float64Array(1);
const words = new Uint32Array(float.buffer);

/** A set of numbers in one flat array: a built-in Set makes an object of each number it holds. */
export class NumberSet {
  /** How many numbers are in it. */
  size = 0;
  /** A number is at the first free place from its hash on; NaN marks a free one. At most half are taken. */
  private slots = new Float64Array(FIRST_SLOTS).fill(Number.NaN);

  /** Whether it holds `value`, which must not be NaN. 0 and -0 are one number. */
  has(value: number): boolean {
    return this.slots[this.place(value)] === value;
  }

  /** Adds `value`, which must not be NaN. Returns false where it was there. */
  add(value: number): boolean {
    const place = this.place(value);
    if (this.slots[place] === value) return false;
    this.slots[place] = value;
    this.size++;
    if (2 * this.size > this.slots.length) this.grow();
    return true;
  }

  /** The numbers in it, in no order. */
  values(): number[] {
    return Array.from(this.slots.filter((value) => !Number.isNaN(value)));
  }

  /** Where `value` is, or else the free place for it. */
  private place(value: number): number {
    const { slots } = this;
    const last = slots.length - 1;
    // Adding 0 makes 0 of -0, whose bits differ.
    float[0] = value + 0;
    const mixed = Math.imul(words[0] ^ Math.imul(words[1], 0x9e3779b1), 0x85ebca6b);
    let place = (mixed ^ (mixed >>> 15)) & last;
    while (slots[place] !== value && !Number.isNaN(slots[place])) place = (place + 1) & last;
    return place;
  }

  private grow(): void {
    const held = this.slots;
    this.slots = new Float64Array(4 * held.length).fill(Number.NaN);
    for (const value of held) if (!Number.isNaN(value)) this.slots[this.place(value)] = value;
  }
}
