import { mkdirSync, statSync } from 'node:fs';
import { dirname } from 'node:path';

/**
 * Makes a folder and those above it that are missing. Node's own `recursive` never returns below /proc, where the folder
 * above exists and yet a new one has "no such file or directory".
 *
 * @throws the error of the file system; EEXIST if something else is in the way
 */
export function makeFolder(folder: string, mode = 0o777): void {
  try {
    mkdirSync(folder, mode);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' && !isFolder(dirname(folder))) {
      if (dirname(folder) === folder) throw error;
      makeFolder(dirname(folder), mode);
      makeFolder(folder, mode);
    } else if (!isFolder(folder)) throw error;
  }
}

const isFolder = (path: string): boolean => statSync(path, { throwIfNoEntry: false })?.isDirectory() === true;
