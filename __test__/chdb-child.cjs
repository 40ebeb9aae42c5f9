'use strict';

// Embedded ClickHouse in a process of its own: it takes its data directory as argument, chDB's own
// arguments after it, and SQL as messages. One process
// has one data directory for its whole life, and a worker thread may not have it at all.

const { Session } = require('chdb');

const [, , directory, ...connectionArgs] = process.argv;
const session = new Session(directory, { connectionArgs });
session.query('SET output_format_json_quote_64bit_integers = 0');

process.on('message', ({ sql, params, format }) => {
  try {
    const answer = params ? session.queryBind(sql, params, format) : session.query(sql, format);
    process.send({ answer });
  } catch (error) {
    process.send({ error: error.message });
  }
});
process.on('disconnect', () => {
  session.close();
  process.exit();
});
process.send({ answer: 'ready' });
