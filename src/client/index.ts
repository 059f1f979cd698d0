/** `completion-bus/client`: talk to models over Kafka. docs/client.md has the whole of it. */
export type * from '../contract/records.ts';
export { type AnswerEvent, ChatAnswer } from './chat-answer.ts';
export { ChatBus } from './chat-bus.ts';
export { ChatBusError, type ClientErrorCode } from './chat-bus-error.ts';
export type { ChatOptions, FunctionTool } from './chat-request.ts';
export type { ChatResult } from './chat-result.ts';
export { type ConnectOptions, connect } from './connect.ts';
export { Conversation, type Reply, type ReplyChunk } from './conversation.ts';
export type { Duration } from './durations.ts';
export type { JsonSchema, OutputFormat } from './output-format.ts';
export type { RunToolsOptions, ToolHandler, ToolHandlers, ToolRun } from './run-tools.ts';
