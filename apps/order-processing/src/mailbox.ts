/** What has arrived, read back by a parser that has nothing to do with who sent it. */

import { createReadStream } from 'node:fs';
import { createInterface } from 'node:readline';
import PostalMime from 'postal-mime';
import type { KeptMail } from './mail-server.ts';

export interface Mail {
  readonly messageId: string;
  readonly to: string;
  readonly toName: string;
  readonly subject: string;
  readonly text: string;
}

/** Every mail that was accepted. @param file of a mail server. */
export async function* readMailbox(file: string): AsyncGenerator<Mail> {
  for await (const line of createInterface({ input: createReadStream(file, 'utf8') })) {
    const { raw } = JSON.parse(line) as KeptMail;
    const { messageId, to, subject, text } = await PostalMime.parse(Buffer.from(raw, 'latin1'));
    const [recipient] = to ?? [];
    yield {
      messageId: messageId ?? '',
      to: recipient?.address ?? '',
      toName: recipient?.name ?? '',
      subject: subject ?? '',
      text: text ?? '',
    };
  }
}
