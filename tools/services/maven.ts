/** Jars, with what they need, that Maven fetches once. */

import fs from 'node:fs';
import path from 'node:path';
import { run } from './command.ts';
import { cacheFolder, makeOnce } from './locked.ts';

export interface Artifact {
  readonly group: string;
  readonly artifact: string;
  readonly version: string;
}

const COPY_JARS = 'org.apache.maven.plugins:maven-dependency-plugin:3.6.1:copy-dependencies';

/** The folder with the jars. The first that asks has Maven fetch them, and the others wait for it. */
export async function mavenJars(name: string, artifacts: readonly Artifact[]): Promise<string> {
  const jars = path.join(cacheFolder(), name);
  await makeOnce(jars, () => fetchJars(jars, artifacts));
  return jars;
}

async function fetchJars(jars: string, artifacts: readonly Artifact[]): Promise<void> {
  const folder = fs.mkdtempSync(`${jars}-`);
  try {
    const project = path.join(folder, 'pom.xml');
    const dependencies = artifacts.map(
      ({ group, artifact, version }) =>
        `<dependency><groupId>${group}</groupId><artifactId>${artifact}</artifactId><version>${version}</version></dependency>`,
    );
    fs.writeFileSync(
      project,
      `<project><modelVersion>4.0.0</modelVersion><groupId>streamweld</groupId><artifactId>jars</artifactId>
<version>1</version><packaging>pom</packaging><dependencies>${dependencies.join('')}</dependencies></project>`,
    );
    const copied = path.join(folder, 'jars');
    await run('mvn', [
      ...['-B', '-ntp', '-q', '-f', project, COPY_JARS],
      ...[`-DoutputDirectory=${copied}`, '-DincludeScope=runtime'],
    ]);
    // All of them or none. Another may have been quicker, if it took this one for dead.
    if (!fs.existsSync(jars)) fs.renameSync(copied, jars);
  } finally {
    fs.rmSync(folder, { recursive: true, force: true });
  }
}
