import type { OutboundRecord, RecordSink } from '../../../src/ports.ts';

/** A sink that acknowledges when the test says so, one send at a time, as a port's user may rely on. */
export class FakeRecordSink implements RecordSink {
  readonly sends: (readonly OutboundRecord[])[] = [];
  private underWay: PromiseWithResolvers<void> | null = null;
  /** Acknowledge every send at once. */
  quick = false;

  get isBusy(): boolean {
    return this.underWay !== null;
  }

  async send(records: readonly OutboundRecord[]): Promise<void> {
    if (this.underWay !== null) throw new Error('a send is under way');
    this.sends.push(records);
    if (this.quick) return;
    this.underWay = Promise.withResolvers<void>();
    await this.underWay.promise;
  }

  acknowledge(): void {
    this.underWay?.resolve();
    this.underWay = null;
  }

  fail(error: Error): void {
    this.underWay?.reject(error);
    this.underWay = null;
  }

  async close(): Promise<void> {
    this.fail(new Error('the sink was closed'));
  }
}
