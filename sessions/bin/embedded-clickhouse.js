'use strict';

// Runs embedded ClickHouse as a server: chDB's `clickhouse local`, made to listen. It is a process of its own because
// the library can be opened once per process, its calls block, and a crash in it must not stop the Node server.
//
// Arguments: the library, the configuration, the data folder, and the interfaces to listen on (HTTP, or HTTP and TCP).
// It ends when it is killed, or when its parent process ends.

const { closeSync, openSync } = require('node:fs');
const { join } = require('node:path');
const { Worker } = require('node:worker_threads');
const { DataType, load, open } = require('ffi-rs');

const [library, config, path, ...interfaces] = process.argv.slice(2);

// The call below never returns to the event loop, so a thread waits for the end of stdin, which means the parent's
// death. SIGKILL does no harm: acknowledged rows are stored, and clients send the others again.
const watcher = new Worker(
  `const { readSync } = require('node:fs');
   const buffer = Buffer.alloc(64);
   while (readSync(0, buffer) > 0);
   process.kill(process.pid, 'SIGKILL');`,
  { eval: true },
);
watcher.unref();

// This query lasts as long as the server. Its user may only start listening.
const SLEEP =
  'SELECT sleepEachRow(3) FROM numbers(1000000000) FORMAT Null SETTINGS max_block_size = 1, function_sleep_max_microseconds_per_block = 0';
const queries = [...interfaces.map((name) => `SYSTEM START LISTEN ${name}`), SLEEP].join('; ');
const args = ['clickhouse', `--config-file=${config}`, `--path=${path}`, '--query', queries];

function fail(reason) {
  process.stderr.write(reason);
  process.kill(process.pid, 'SIGKILL');
}

/** Whether another process keeps the lock by which ClickHouse has a folder for itself. */
function isLocked() {
  let file;
  try {
    file = openSync(join(path, 'status'));
  } catch {
    return false;
  }
  open({ library: 'this process', path: '' });
  const [exclusively, withoutWaiting] = [2, 4];
  const paramsType = [DataType.I32, DataType.I32];
  const paramsValue = [file, exclusively | withoutWaiting];
  const lock = () =>
    load({ library: 'this process', funcName: 'flock', retType: DataType.I32, paramsType, paramsValue }) === 0;
  // A process that was killed just now may still be ending.
  let isOurs = lock();
  for (let tries = 20; !isOurs && tries > 0; tries--) {
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 50);
    isOurs = lock();
  }
  closeSync(file);
  return !isOurs;
}

// ClickHouse notices it too, but takes seconds to end then, and on a busy machine half a minute.
if (isLocked()) fail('Cannot lock file');

// ffi-rs calls on the thread's own stack. One that switches stacks (koffi) fails ClickHouse's check of its depth.
open({ library: 'chdb', path: library });
const call = (funcName, retType, paramsType, paramsValue) =>
  load({ library: 'chdb', funcName, retType, paramsType, paramsValue });
const result = call('chdb_query_cmdline', DataType.External, [DataType.I32, DataType.StringArray], [args.length, args]);

// It returns only if it failed to start.
fail(call('chdb_result_error', DataType.String, [DataType.External], [result]));
