/** Opens a sink, says so, and holds it until it is told to go on or killed; or prints why it could not. */

import { once } from 'node:events';
import { FileSink } from '@streamweld/file';

const sink = new FileSink(process.argv[2] as string, { append: true });
try {
  await sink.open();
  console.log('open');
  await once(process.stdin, 'data');
  await sink.close();
} catch (error) {
  const { code, message } = error as { code: string; message: string };
  console.log(JSON.stringify({ code, message }));
  await sink.close(error);
}
process.exit();
