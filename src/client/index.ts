/** `completion-bus/client`: talk to models over Kafka. docs/client.md has the whole of it. */
export type * from '../contract/record-types.ts';
export { type AnswerEvent, ChatAnswer } from './answer/chat-answer.ts';
export type { RunToolsOptions, ToolHandler, ToolHandlers, ToolRun } from './answer/run-tools.ts';
export { ChatBus } from './chat-bus.ts';
export { type ConnectOptions, connect } from './connect.ts';
export { Conversation, type Reply, type ReplyChunk } from './conversation.ts';
export type { ChatOptions, FunctionTool } from './request/chat-request.ts';
export type { Duration } from './request/durations.ts';
export type { JsonSchema, OutputFormat } from './request/output-format.ts';
export { ChatBusError, type ClientErrorCode } from './result/chat-bus-error.ts';
export type { ChatResult } from './result/chat-result.ts';
