/**
 * kafkajs sets timers that were due before now. From Node 21 on that is a warning, once in a process, of something that
 * nobody who sees it can mend: it is kept from the console. What others warn of is left alone.
 */

type EmitWarning = (warning: string | Error, ...rest: unknown[]) => void;

const OF_KAFKAJS = /[\\/]kafkajs[\\/]/;

let isFiltered = false;

export function filterNegativeTimers(): void {
  if (isFiltered) return;
  isFiltered = true;
  const emit = process.emitWarning.bind(process) as EmitWarning;
  process.emitWarning = ((warning, ...rest) => {
    if (rest[0] === 'TimeoutNegativeWarning' && OF_KAFKAJS.test(new Error('where').stack ?? '')) return;
    emit(warning, ...rest);
  }) as EmitWarning;
}
