/** One name, in all the forms in which it stands in the files of a connector. */

import { CreateError } from './errors.ts';

export interface Names {
  /** As it was given, and as the files and sources are named: `redis-streams`. */
  readonly name: string;
  /** `RedisStreams`, of `RedisStreamsSource`. */
  readonly className: string;
  /** `REDIS_STREAMS`, of `REDIS_STREAMS_ERROR_CODES`. */
  readonly constantName: string;
  /** What error codes begin with. `SW_` is for connectors of the repository: their codes are in its docs/errors.md. */
  readonly codePrefix: string;
  readonly packageName: string;
}

/** The longest name. With what comes before and behind it, a package may have 214 characters. */
const MAX_LENGTH = 100;

const NAME = /^[a-z][a-z0-9]*(?:-[a-z0-9]+)*$/;

/** The same in three forms, so it would replace itself. */
const PLACEHOLDER = 'template-name';

const PACKAGE_NAME = /^(?:@[a-z0-9~-][a-z0-9._~-]*\/)?[a-z0-9~-][a-z0-9._~-]*$/;

/**
 * @param packageName Default: `streamweld-NAME`. One of `@streamweld` is of the repository.
 * @throws CreateError SW_CREATE_NAME_INVALID
 */
export function namesOf(name: string, packageName: string = `streamweld-${name}`): Names {
  if (!NAME.test(name) || name.length > MAX_LENGTH || name === PLACEHOLDER) {
    throw new CreateError(
      'SW_CREATE_NAME_INVALID',
      `The name of a connector must be small letters, digits and single hyphens between them, beginning with a letter, as redis-streams; got '${name.slice(0, MAX_LENGTH)}'. Its classes are then RedisStreamsSource and RedisStreamsSink.`,
    );
  }
  if (!PACKAGE_NAME.test(packageName) || packageName.length > 214) {
    throw new CreateError(
      'SW_CREATE_NAME_INVALID',
      `--package must be a name that npm takes, as streamweld-${name} or @you/${name}; got '${packageName.slice(0, 214)}'.`,
    );
  }
  const words = name.split('-');
  const constantName = words.join('_').toUpperCase();
  return {
    name,
    className: words.map((word) => word.charAt(0).toUpperCase() + word.slice(1)).join(''),
    constantName,
    codePrefix: packageName.startsWith('@streamweld/') ? `SW_${constantName}` : constantName,
    packageName,
  };
}
