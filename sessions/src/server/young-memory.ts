/**
 * Frees what uploads leave behind before V8 looks for it.
 *
 * An upload's body and rows die young. They are outside V8's heap, but V8 counts them as growth of its old objects, which are
 * few here. So a busy server would have all of its heap marked a dozen times a second, and that takes longer than everything
 * else that an upload of 250 events costs. To look at the young objects alone frees the same memory for a tenth of that.
 *
 * Those that wait for an insert grow old, though. Marking frees them, and is needed less often if the heap may grow more
 * in between.
 */
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

type Collect = (options: { type: 'minor' }) => void;

/** A body is in memory up to three times: as it came, in one piece, and as rows. */
const BODIES_BYTES = 3 * 2 ** 20;

/** By how much the heap, with what it keeps outside, may grow until it is marked: by tens of megabytes here. */
const GROWTH_PERCENT = 400;

function collector(): Collect {
  setFlagsFromString('--expose-gc');
  // Only contexts made from now on have the function.
  const collect = runInNewContext('gc') as Collect;
  setFlagsFromString('--no-expose-gc');
  return collect;
}

export class YoungMemory {
  readonly #collect = collector();
  #bytes = 0;

  constructor() {
    setFlagsFromString(`--heap-growing-percent=${GROWTH_PERCENT}`);
  }

  /** Counts a body that has been read. */
  took(bytes: number): void {
    this.#bytes += bytes;
    if (this.#bytes < BODIES_BYTES) return;
    this.#bytes = 0;
    this.#collect({ type: 'minor' });
  }
}
