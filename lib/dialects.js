'use strict';

// Metrics that share an id are distinguished by marks that their tables name. Decoding uses only these marks, so an
// event whose marks contradict its metric must not be built.

const { METRICS } = require('../generated/fields.js');
const { invalidArgument } = require('./arguments.js');

/**
 * Finds a metric that is known to exist.
 *
 * @typedef {{ id: number, name: string, dialect?: any }} Metric `dialect` only where another metric has the same id
 * @type {(is: (metric: Metric) => boolean) => Metric}
 */
const find = (is) => /** @type {Metric} */ (METRICS.find(is));

/**
 * Refuses an event that would decode as another metric with the same id.
 *
 * @param {string} attributesPath the path of the attributes, for the error
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

/** Whether an event has one of the dialect's two marks. */
function isMarked({ attribute, container }, values, attributes) {
  return attributes[attribute] !== undefined || /^[{[]/.test(values[container] ?? '');
}

module.exports = { checkDialect };
