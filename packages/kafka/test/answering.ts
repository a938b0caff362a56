/** Sockets that answer a request in the place of the broker, as it answers for a moment when a group comes to it. */

import net from 'node:net';
import type { ISocketFactory } from 'kafkajs';

/** Requests, by the number that Kafka gives them. */
export const JOIN = 11;
export const HEARTBEAT = 12;

/** Answers, by the number that Kafka gives them. */
export const LOADING = 14;
export const NOT_COORDINATOR = 16;

export interface Answering {
  readonly socketFactory: ISocketFactory;
  /** How many are yet to be answered. */
  readonly left: number;
  /** Refuses the next request of a kind, which reaches no broker; those of one kind in this order. */
  refuse(request: typeof JOIN | typeof HEARTBEAT, answer: number): void;
}

export function answering(): Answering {
  const planned: { readonly request: number; readonly answer: number }[] = [];
  return {
    get left() {
      return planned.length;
    },
    refuse(request, answer) {
      planned.push({ request, answer });
    },
    socketFactory({ host, port, onConnect }) {
      const socket = net.connect({ host, port }, onConnect);
      const write = socket.write.bind(socket) as (bytes: Buffer, encoding: BufferEncoding) => boolean;
      // Its client writes one request at a time, whole.
      socket.write = ((bytes: Buffer, encoding: BufferEncoding) => {
        const asked = bytes.readInt16BE(4);
        const plan = planned.find(({ request }) => request === asked);
        if (plan === undefined) return write(bytes, encoding);
        planned.splice(planned.indexOf(plan), 1);
        setImmediate(() => socket.emit('data', refusal(asked, bytes.readInt32BE(8), plan.answer)));
        return true;
      }) as typeof socket.write;
      return socket;
    },
  };
}

/** Of JoinGroup up to version 6, and of Heartbeat up to 3. */
function refusal(request: number, correlationId: number, answer: number): Buffer {
  // No throttling; of a join also: no generation, no protocol, no leader, no member, no members.
  const rest = request === JOIN ? [0xff, 0xff, 0xff, 0xff, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0] : [];
  const frame = Buffer.alloc(14 + rest.length);
  frame.writeInt32BE(frame.length - 4, 0);
  frame.writeInt32BE(correlationId, 4);
  frame.writeInt16BE(answer, 12);
  frame.set(rest, 14);
  return frame;
}
