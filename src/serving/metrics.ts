/** What a service counts, in the text format of Prometheus. */

/** Upper bounds of the histogram of durations, in seconds. */
const BOUNDS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/** Requests by route and status, their durations by route, and records. */
export class ServiceMetrics {
  private readonly requests = new Map<string, number>();
  private readonly durations = new Map<string, { counts: number[]; sum: number; count: number }>();
  private records = 0;

  request(route: string, status: number, seconds: number): void {
    const labels = `route="${route}",status="${status}"`;
    this.requests.set(labels, (this.requests.get(labels) ?? 0) + 1);
    const own = this.durations.get(route) ?? { counts: BOUNDS.map(() => 0), sum: 0, count: 0 };
    this.durations.set(route, own);
    own.sum += seconds;
    own.count++;
    BOUNDS.forEach((bound, i) => {
      if (seconds <= bound) own.counts[i]++;
    });
  }

  answered(records: number): void {
    this.records += records;
  }

  /** `gauges` are the numbers of this moment, by name and what they are. */
  text(gauges: Readonly<Record<string, readonly [value: number, meaning: string]>>): string {
    const lines: string[] = [];
    const metric = (name: string, type: string, meaning: string, rows: readonly string[]) =>
      lines.push(`# HELP ${name} ${meaning}`, `# TYPE ${name} ${type}`, ...rows);
    metric(
      'lacuna_requests_total',
      'counter',
      'Requests by route and status.',
      Array.from(this.requests, ([labels, count]) => `lacuna_requests_total{${labels}} ${count}`),
    );
    metric(
      'lacuna_request_seconds',
      'histogram',
      'Seconds from a request to its answer.',
      Array.from(this.durations, ([route, { counts, sum, count }]) => [
        ...counts.map(
          (upTo, i) => `lacuna_request_seconds_bucket{route="${route}",le="${BOUNDS[i]}"} ${upTo}`,
        ),
        `lacuna_request_seconds_bucket{route="${route}",le="+Inf"} ${count}`,
        `lacuna_request_seconds_sum{route="${route}"} ${sum}`,
        `lacuna_request_seconds_count{route="${route}"} ${count}`,
      ]).flat(),
    );
    metric('lacuna_records_total', 'counter', 'Records that were answered.', [
      `lacuna_records_total ${this.records}`,
    ]);
    for (const [name, [value, meaning]] of Object.entries(gauges))
      metric(name, 'gauge', meaning, [`${name} ${value}`]);
    return `${lines.join('\n')}\n`;
  }
}
