process.on('unhandledRejection', (e) => console.log('   !! UNHANDLED', String(e)));
import { DispatchedPipelineBuilder } from '@streamweld/core';
export const sleep = (ms: number) => new Promise<void>((r) => setTimeout(r, ms));
export async function t(name: string, f: () => Promise<unknown>, ms = 3000) {
  const r = await Promise.race([
    f().then(
      (v) => ['ok', v],
      (e) => [
        'REJ',
        e?.code ?? String(e),
        e?.message?.slice?.(0, 160),
        String(e?.cause),
        e?.suppressed?.map?.((x: any) => x?.message),
      ],
    ),
    sleep(ms).then(() => ['HANG']),
  ]);
  console.log(name, '=>', ...(r as any));
  await sleep(20);
}
export const B = <T>(o?: any) => new DispatchedPipelineBuilder<T>({ logger: null, ...o });
export function psource(n: number, per = 10, commits: any[] = [], log: any = {}) {
  let at = 0;
  return {
    name: 'ps',
    pull(d: number): any {
      if (at >= n) return undefined;
      const k = Math.min(d, per, n - at);
      const items = Array.from({ length: k }, (_, i) => at + i);
      at += k;
      return { items, position: at };
    },
    commit(p: any) {
      commits.push(p.get(''));
    },
    close(r: any) {
      log.closed = r ?? 'good';
    },
  };
}
