/**
 * How much of what is sent may be in memory at once. Counted from the first byte of a body until its answer, so whatever
 * makes requests wait (a slow database, mostly) cannot fill the memory: beyond the limits callers are told to come back.
 */
import { DomainFailure } from '../../domain/failure.js';

export interface AdmissionLimits {
  /** Bytes of bodies that are read, waited for or answered at the moment. */
  readonly bytes: number;
  /** Streams at the same time. They last, so that their number is bounded apart from the bytes. */
  readonly streams: number;
}

/** What one request holds. */
export interface Lease {
  /** @throws DomainFailure OVER_CAPACITY when there is no room for so many bytes in all; the lease stays as it was */
  resize(bytes: number): void;
  /** To be called once, whatever became of the request. */
  end(): void;
}

export class Admission {
  private heldBytes = 0;
  private heldStreams = 0;

  constructor(private readonly limits: AdmissionLimits) {}

  get bytes(): number {
    return this.heldBytes;
  }

  get streams(): number {
    return this.heldStreams;
  }

  request(): Lease {
    let held = 0;
    return {
      resize: (bytes) => {
        this.requireRoom(held, bytes);
        this.heldBytes += bytes - held;
        held = bytes;
      },
      end: () => {
        this.heldBytes -= held;
      },
    };
  }

  /** @throws DomainFailure OVER_CAPACITY */
  stream(): Pick<Lease, 'end'> {
    if (this.heldStreams >= this.limits.streams) throw overCapacity();
    this.heldStreams += 1;
    return {
      end: () => {
        this.heldStreams -= 1;
      },
    };
  }

  /** A request alone always has room: its size is bounded by the limits of a body. */
  private requireRoom(held: number, bytes: number): void {
    const others = this.heldBytes - held;
    if (others > 0 && others + bytes > this.limits.bytes) throw overCapacity();
  }
}

function overCapacity(): DomainFailure {
  return new DomainFailure('OVER_CAPACITY', 'Too much waits to be stored. Send the same request again later.');
}
