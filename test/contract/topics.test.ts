import { expect, test } from 'vitest';
import { KEEP_FOR_EVER, TOPIC_ROLES, topicNames, topicSettings } from '../../src/contract/topics.ts';

test('topics are named after the prefix', () => {
  expect(topicNames('chat')).toEqual({
    requests: 'chat.requests',
    cancellations: 'chat.cancellations',
    chunks: 'chat.chunks',
    responses: 'chat.responses',
    messageSent: 'chat.message-sent',
    responseGenerated: 'chat.response-generated',
    costs: 'chat.costs',
    modelChanges: 'chat.model-changes',
    dead: 'chat.requests.dead',
    replies: 'chat.replies',
  });
  expect(topicNames('staging.chat').dead).toBe('staging.chat.requests.dead');
});

test('topics that are settled in one transaction have as many partitions as the requests', () => {
  const equal = TOPIC_ROLES.filter((role) => topicSettings[role].partitioning === 'requests');
  expect(equal).toEqual(['requests', 'responses', 'responseGenerated', 'costs', 'dead']);
});

test('the bill is kept forever and no topic is compacted', () => {
  expect(topicSettings.costs.retentionMs).toBe(KEEP_FOR_EVER);
  expect(TOPIC_ROLES.every((role) => topicSettings[role].cleanupPolicy === 'delete')).toBe(true);
});
