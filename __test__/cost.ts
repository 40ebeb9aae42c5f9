/**
 * How much a call costs, as a ratio to another call in the same process. No figure here is a time that a machine must
 * reach, so the tests hold on a slow or busy machine too.
 */

type Run = () => unknown;

/** Long enough that the clock's resolution and the measurement itself don't count. */
const SHORTEST_MEASUREMENT_US = 1_000;
/**
 * A ratio that is too high is measured again: a collection of garbage can have made it so, or what else runs on the same
 * core, for as long as the scheduler lets it.
 */
const ROUNDS = 100;
/** A ratio this many times over the limit, in a few rounds, is too high without another one. */
const HOPELESS = 3;
const FEW_ROUNDS = 3;

/** CPU time in microseconds: unlike the clock, it doesn't count the time in which other processes run. */
function cpuTime(run: Run, repeats: number): number {
  const before = process.cpuUsage();
  for (let n = 0; n < repeats; n++) run();
  const { user, system } = process.cpuUsage(before);
  return user + system;
}

class Contestant {
  /** The least cost measured so far. */
  best = Number.POSITIVE_INFINITY;
  private repeats = 1;

  constructor(private readonly run: Run) {
    // Repeat until it is measurable and V8 has compiled it.
    for (let time = 0; time < SHORTEST_MEASUREMENT_US; ) {
      time = cpuTime(run, this.repeats);
      this.best = time / this.repeats;
      if (time < SHORTEST_MEASUREMENT_US) this.repeats *= 2;
    }
  }

  measure(): number {
    const cost = cpuTime(this.run, this.repeats) / this.repeats;
    this.best = Math.min(this.best, cost);
    return cost;
  }
}

/** What several runs are compared with. It is warmed up and first measured only once. */
export class Baseline {
  private contestant: Contestant | undefined;

  constructor(private readonly run: Run) {}

  /**
   * The cost of `run` divided by that of the baseline. It stops measuring as soon as the ratio is low enough. Both are
   * measured right after each other: if what runs on the other half of the core slows one down, it slows both down.
   */
  ratioOf(run: Run, most: number): number {
    this.contestant ??= new Contestant(this.run);
    const [baseline, contestant] = [this.contestant, new Contestant(run)];
    // Both have just been measured to warm them up.
    let ratio = contestant.best / baseline.best;
    for (let round = 1; round < ROUNDS && ratio > most; round++) {
      const cost = baseline.measure();
      ratio = Math.min(ratio, contestant.measure() / cost);
      if (round >= FEW_ROUNDS && ratio > HOPELESS * most) break;
    }
    return ratio;
  }
}

/** The cost of `run` divided by that of `baseline`. */
export const costRatio = (run: Run, baseline: Run, most: number): number => new Baseline(baseline).ratioOf(run, most);

export const GROWTH = 8;
/** Linear work grows by 8; caches and garbage collection add to that. Quadratic work grows by 64. */
const MOST_GROWTH = 12;

/** The cost of each of `runs`, one after the other. */
const all = (runs: Record<string, Run>) => () => {
  for (const run of Object.values(runs)) run();
};

/**
 * Fails if work grows faster than its input. `runsOn` returns all runs for an input of a given size. They are measured
 * together, and one by one only to name the one that fails.
 */
export function expectLinear(runsOn: (bytes: number) => Record<string, Run>, bytes: number): void {
  let found = '';
  // If only the smaller input fits into a cache or a pool, the ratio is too high. Larger sizes exclude that.
  for (const size of [bytes, GROWTH * bytes]) {
    const [smaller, larger] = [runsOn(size), runsOn(GROWTH * size)];
    const ratio = costRatio(all(larger), all(smaller), MOST_GROWTH);
    if (ratio <= MOST_GROWTH) return;
    const ratios = Object.keys(smaller).map(
      (name) => [name, costRatio(larger[name], smaller[name], MOST_GROWTH)] as const,
    );
    // If each of them grows like its input, so do all together, and something else disturbed their measurement.
    if (ratios.every(([, each]) => each <= MOST_GROWTH)) return;
    found = ratios.map(([name, each]) => `${name}: ${each.toFixed(1)}`).join(', ');
    if (ratio > HOPELESS * MOST_GROWTH) break;
  }
  throw new Error(`${GROWTH} times the input: expected at most ${MOST_GROWTH} times the work, found ${found}`);
}
