'use strict';

// Where metrics share an id, their tables say how to recognise which one an event is of. Decoding goes by that, so an event
// that says otherwise must not be built.

const { METRICS } = require('../generated/fields.js');
const { invalidArgument } = require('./arguments.js');

/**
 * A metric that must be there.
 *
 * @typedef {{ id: number, name: string, dialect?: any }} Metric `dialect` only where another metric has the same id
 * @type {(is: (metric: Metric) => boolean) => Metric}
 */
const find = (is) => /** @type {Metric} */ (METRICS.find(is));

/**
 * Refuses an event of a metric that would decode as one of another metric with the same id.
 *
 * @param {string} attributesPath where the attributes stand, for the error
 */
function checkDialect(name, values, attributes, attributesPath) {
  const metric = find((metric) => metric.name === name);
  const readAs = find(
    ({ id, dialect }) => id === metric.id && (dialect === undefined || isMarked(dialect, values, attributes)),
  );
  if (readAs === metric) return;
  if (readAs.dialect !== undefined) {
    const { attribute } = readAs.dialect;
    throw invalidArgument(
      `${attributesPath}.${attribute}`,
      `it not to be set on a ${name}, since it makes a ${readAs.name}`,
      attributes[attribute],
    );
  }
  const { attribute, container } = metric.dialect;
  throw invalidArgument(
    container,
    `an object or an array on a ${name} without attribute ${attribute}`,
    values[container],
  );
}

/** Whether an event has one of the two marks of a dialect. */
function isMarked({ attribute, container }, values, attributes) {
  return attributes[attribute] !== undefined || /^[{[]/.test(values[container] ?? '');
}

module.exports = { checkDialect };
