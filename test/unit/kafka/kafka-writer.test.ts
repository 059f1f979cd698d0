import { EventEmitter } from 'node:events';
import kafkajs from 'kafkajs';
import { describe, expect, it, vi } from 'vitest';
import type { KafkaSettings } from '../../../src/adapters/kafka/kafkajs/kafka-client.ts';
import { KafkaWriter, type WriterThread } from '../../../src/adapters/kafka/writer/kafka-writer.ts';
import {
  plainError,
  serveWriter,
  type WriterParts,
} from '../../../src/adapters/kafka/writer/serve-writer.ts';
import type { WriterMessage, WriterRequest } from '../../../src/adapters/kafka/writer/writer-protocol.ts';
import {
  type OutboundRecord,
  ProducerDisconnected,
  type RecordBatch,
  RecordRefused,
  type RecordSink,
  type Settlement,
} from '../../../src/ports/kafka.ts';
import { createLogger } from '../../../src/runtime/logger.ts';

type OnWritten = Parameters<RecordSink['write']>[1];

const settings = {} as KafkaSettings;
const REFUSED = { index: 1, errorType: 'MESSAGE_TOO_LARGE' };
const partition = { topic: 'chat.requests', partition: 3 };
const record: OutboundRecord = {
  topic: 'chat.responses',
  partition: 3,
  key: Buffer.from('key'),
  value: Buffer.from('value'),
  headers: { ce_id: Buffer.from('id') },
};

/** A fake thread: it copies requests and answers as threads do. */
class SameThread extends EventEmitter implements WriterThread {
  terminated = false;
  private serve: ((request: WriterRequest) => void) | null = null;

  run(parts: WriterParts): void {
    this.serve = serveWriter(parts, (message) => this.say(message));
    this.say({ kind: 'ready', clusterId: parts.transport.clusterId, topics: TOPICS });
  }

  say(message: WriterMessage): void {
    this.emit('message', structuredClone(message));
  }

  postMessage(request: WriterRequest, transfer: ArrayBuffer[]): void {
    this.serve?.(structuredClone(request, { transfer }));
  }

  async terminate(): Promise<void> {
    this.terminated = true;
    this.emit('exit', 1);
  }
}

const TOPICS = [{ topic: 'chat.chunks', partitions: 3, maxBatchBytes: 100_000 }];

const SETTLED_AT = 1_234.5;

function parts(members: Partial<WriterParts['transport']> = {}) {
  const done: unknown[] = [];
  const note = async (what: unknown) => {
    done.push(what);
  };
  const transport = {
    clusterId: 'cluster',
    holds: async () => true,
    fence: async () => ({
      settle: async (settlement: Settlement) => {
        await note(settlement);
        return SETTLED_AT;
      },
      close: () => note('producer closed'),
    }),
    committedPosition: async () => ({ offset: 7, metadata: 'map', logStart: 0, logEnd: 9, topicId: 'id' }),
    topicId: async (topic: string) => `id of ${topic}`,
    close: () => note('transport closed'),
    ...members,
  };
  const sink = {
    write: (batches: readonly RecordBatch[], onWritten: OnWritten) => {
      done.push(batches);
      for (const batch of batches)
        queueMicrotask(() => onWritten(batch, batch.partition === 2 ? [REFUSED] : []));
    },
    close: () => note('sink closed'),
  };
  return { done, transport, sink };
}

const options = { outputs: ['chat.responses'], sinkTopics: ['chat.chunks'], onCrash: () => undefined };

async function connected(given = parts()) {
  const thread = new SameThread();
  const lines: string[] = [];
  const logger = createLogger({ level: 'info', destination: { write: (line) => lines.push(line) } });
  const crashes: Error[] = [];
  const failures: string[] = [];
  const connecting = KafkaWriter.connect(
    settings,
    logger,
    {
      ...options,
      onCrash: (error) => crashes.push(error),
      onWriteFailed: (errorType) => failures.push(errorType),
    },
    () => thread,
  );
  thread.run(given);
  return { writer: await connecting, thread, lines, crashes, failures, done: given.done };
}

describe('the writer thread', () => {
  it('answers a lane’s questions about the cluster', async () => {
    const { writer } = await connected();
    expect(writer.transport.clusterId).toBe('cluster');
    expect(await writer.transport.holds('member', partition)).toBe(true);
    expect(await writer.transport.committedPosition(partition)).toMatchObject({ offset: 7, metadata: 'map' });
    expect(await writer.transport.topicId('chat.requests')).toBe('id of chat.requests');
  });

  it('settles through the fenced producer, and not after it is closed', async () => {
    const { writer, done } = await connected();
    const producer = await writer.transport.fence(partition);
    const settlement = { offset: 42, metadata: 'map', records: [record], topicId: 'id' };
    expect(await producer.settle(settlement)).toBe(SETTLED_AT);
    expect(done).toEqual([{ offset: 42, metadata: 'map', records: [record], topicId: 'id' }]);
    await producer.close();
    expect(done).toContain('producer closed');
    await expect(producer.settle({ offset: 43, metadata: '', records: [], topicId: null })).rejects.toThrow(
      'closed',
    );
  });

  it('writes batches outside transactions, and acknowledges each separately', async () => {
    const { writer, done } = await connected();
    const { sink } = writer;
    const batch = (part: number, records: OutboundRecord[]) => ({
      topic: 'chat.chunks',
      partition: part,
      records,
    });
    const batches = [batch(0, [record]), batch(2, [record, { ...record, key: Buffer.from('b') }])];
    const answers: unknown[] = [];
    const all = Promise.withResolvers<void>();
    sink.write(batches, (written, refused) => {
      answers.push([batches.indexOf(written as (typeof batches)[number]), refused]);
      if (answers.length === 2) all.resolve();
    });
    await all.promise;
    expect(answers).toEqual([
      [0, []],
      [1, [REFUSED]],
    ]);
    expect(done).toMatchObject([
      [{ partition: 0 }, { partition: 2, records: [{}, { key: Buffer.from('b') }] }],
    ]);
    await sink.close();
    expect(done).toContain('sink closed');
  });

  it('knows the partitions and limits of its topics, even after changes', async () => {
    const { writer, thread } = await connected();
    const { sink } = writer;
    expect(sink.maxBatchBytes('chat.chunks')).toBe(100_000);
    // The result of kafkajs's default partitioner, which is Kafka's own.
    const partitionMetadata = [0, 1, 2].map((partitionId) => ({ partitionId }) as kafkajs.PartitionMetadata);
    const partitioner = kafkajs.Partitioners.DefaultPartitioner();
    for (const key of ['a', 'b', 'request-1', '世界', 'x'.repeat(100)]) {
      const expected = partitioner({ topic: 't', partitionMetadata, message: { key, value: null } });
      expect(sink.partitionOf('chat.chunks', key)).toBe(expected);
      expect(sink.partitionOf('chat.chunks', new Uint8Array(Buffer.from(key)))).toBe(expected);
    }
    thread.say({ kind: 'topics', topics: [{ topic: 'chat.chunks', partitions: 1, maxBatchBytes: 5_000 }] });
    expect(sink.maxBatchBytes('chat.chunks')).toBe(5_000);
    expect(sink.partitionOf('chat.chunks', 'b')).toBe(0);
    expect(() => sink.maxBatchBytes('other')).toThrow('other');
  });

  it('reports failed writes, and how long the thread has not answered', async () => {
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval', 'performance'] });
    try {
      const { writer, thread, failures } = await connected();
      thread.say({ kind: 'writeFailed', errorType: 'NOT_ENOUGH_REPLICAS' });
      expect(failures).toEqual(['NOT_ENOUGH_REPLICAS']);
      await vi.advanceTimersByTimeAsync(1_000);
      expect(writer.unansweredMs()).toBe(0);
      thread.postMessage = () => undefined;
      await vi.advanceTimersByTimeAsync(4_000);
      expect(writer.unansweredMs()).toBe(3_000);
    } finally {
      vi.useRealTimers();
    }
  });

  it('distinguishes a refused record and a closed connection from any other error, with the causes as text', async () => {
    const errors = [
      new RecordRefused('a broker refused a record', { cause: new Error('MESSAGE_TOO_LARGE') }),
      new ProducerDisconnected('the coordinator has closed the connection'),
      new TypeError('no coordinator'),
    ];
    const { writer } = await connected(
      parts({
        fence: async () => ({ settle: () => Promise.reject(errors.shift()), close: async () => undefined }),
      }),
    );
    const producer = await writer.transport.fence(partition);
    const settling = () =>
      producer.settle({ offset: 1, metadata: '', records: [], topicId: null }).catch((error) => error);
    const refusal = await settling();
    expect(refusal).toBeInstanceOf(RecordRefused);
    expect(refusal.message).toBe('a broker refused a record: MESSAGE_TOO_LARGE');
    expect(await settling()).toEqual(new ProducerDisconnected('the coordinator has closed the connection'));
    expect(await settling()).toMatchObject({ name: 'TypeError', message: 'no coordinator' });
  });

  it('closes its connections and ends without reporting a crash', async () => {
    const { writer, thread, crashes, done } = await connected();
    await writer.close();
    expect(done).toEqual(['transport closed']);
    expect(thread.terminated).toBe(true);
    expect(crashes).toEqual([]);
  });

  it('rejects every call when it dies, and reports it once', async () => {
    const { writer, thread, crashes } = await connected(
      parts({ holds: () => new Promise<boolean>(() => undefined) }),
    );
    const asked = writer.transport.holds('member', partition);
    thread.emit('error', new Error('out of memory'));
    thread.emit('exit', 1);
    await expect(asked).rejects.toThrow('out of memory');
    await expect(writer.transport.holds('member', partition)).rejects.toThrow('out of memory');
    expect(crashes.map(({ message }) => message)).toEqual(['out of memory']);
    await writer.close();
  });

  it('does not start when it cannot connect', async () => {
    const thread = new SameThread();
    const logger = createLogger({ level: 'silent' });
    const connecting = KafkaWriter.connect(settings, logger, options, () => thread);
    thread.say({ kind: 'failed', error: plainError('no broker') });
    await expect(connecting).rejects.toThrow('no broker');
    expect(thread.terminated).toBe(true);
  });

  it('does not start when it ends early', async () => {
    const thread = new SameThread();
    const logger = createLogger({ level: 'silent' });
    const connecting = KafkaWriter.connect(settings, logger, options, () => thread);
    thread.emit('exit', 9);
    await expect(connecting).rejects.toThrow('ended with 9');
  });

  it('logs through the service’s logger, with level and fields', async () => {
    const { thread, lines } = await connected();
    const line = JSON.stringify({ level: 'warn', time: 'then', component: 'kafkajs', msg: 'slow broker' });
    thread.say({ kind: 'log', line });
    expect(lines.map((text) => JSON.parse(text))).toMatchObject([
      { level: 'warn', component: 'kafkajs', msg: 'slow broker' },
    ]);
  });
});
