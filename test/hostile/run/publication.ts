/** A record as published to a request topic. */
export interface Publication {
  readonly key: string;
  readonly kind: string;
  readonly topic: string;
  readonly partition: number;
  readonly offset: number;
}

/** Prefix of the keys and request ids of the nine, and of no others. */
export const NEIGHBOUR_MARK = 'nine:';

export function placeOf({ topic, partition, offset }: Omit<Publication, 'key' | 'kind'>): string {
  return `${topic}/${partition}/${offset}`;
}
