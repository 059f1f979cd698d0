import type { Admin } from 'kafkajs';
import { describe, expect, it } from 'vitest';
import { topicRanges } from '../../../../src/adapters/kafka/consumer/topic-ranges.ts';
import { brokerError } from '../../../../src/adapters/kafka/kafkajs/cluster-requests.ts';

const UNKNOWN_TOPIC_OR_PARTITION = 3;
const LEADER_NOT_AVAILABLE = 5;
const NOT_LEADER_FOR_PARTITION = 6;

/** First fails with these errors, as kafkajs does, then answers. */
function adminAfter(codes: number[]): Pick<Admin, 'fetchTopicOffsets'> {
  return {
    fetchTopicOffsets: async () => {
      const code = codes.shift();
      if (code !== undefined) throw brokerError(code);
      return [
        { partition: 0, offset: '7', high: '7', low: '2' },
        { partition: 3, offset: '0', high: '0', low: '0' },
      ];
    },
  };
}

describe('topicRanges', () => {
  it('retries while a leader moves', async () => {
    const admin = adminAfter([NOT_LEADER_FOR_PARTITION, LEADER_NOT_AVAILABLE]);
    expect([...(await topicRanges(admin, 'chat.costs'))]).toEqual([
      [0, { low: 2, high: 7 }],
      [3, { low: 0, high: 0 }],
    ]);
  });

  it('does not wait for a permanent error', async () => {
    const admin = adminAfter([UNKNOWN_TOPIC_OR_PARTITION]);
    await expect(topicRanges(admin, 'chat.costs')).rejects.toThrow(/does not host this topic/);
  });
});
