/** The thread that writes to Kafka: started by `kafka-writer.ts`, never imported. */
import { parentPort, workerData } from 'node:worker_threads';
import { createLogger } from '../../../runtime/logger.ts';
import { KafkaRecordSink } from '../produce/record-sink.ts';
import { KafkaLaneTransport } from '../transactions/lane-transport.ts';
import { plainError, serveWriter, sinkReports } from './serve-writer.ts';
import type { WriterMessage, WriterRequest, WriterSettings } from './writer-protocol.ts';

const { kafka, outputs, sinkTopics, logLevel } = workerData as WriterSettings;
const post = (message: WriterMessage) => parentPort?.postMessage(message);
const logger = createLogger({
  level: logLevel as 'info',
  destination: { write: (line) => post({ kind: 'log', line }) },
});
try {
  const transport = await KafkaLaneTransport.connect(kafka, outputs, logger);
  const sink = await KafkaRecordSink.connect(kafka, logger, { topics: sinkTopics, ...sinkReports(post) });
  const serve = serveWriter({ transport, sink }, post);
  parentPort?.on('message', (request: WriterRequest) => serve(request));
  post({ kind: 'ready', clusterId: transport.clusterId, topics: sink.topics() });
} catch (error) {
  post({ kind: 'failed', error: plainError(error) });
}
