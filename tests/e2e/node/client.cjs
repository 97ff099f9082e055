// MQTT.js under orders: a line of JSON in for each thing to do, a line out for each answer and each message.
//
// CommonJS, since NODE_PATH, by which the packages are found outside the repository, is not for modules.

'use strict'

const readline = require('node:readline')
const mqtt = require('mqtt')

const clients = new Map()

const say = (line) => process.stdout.write(JSON.stringify(line) + '\n')

const buffer = (text) => Buffer.from(text, 'base64')

function connect ({ url, options }) {
  const { ca, cert, key, will, username, password } = options
  return new Promise((resolve, reject) => {
    const client = mqtt.connect(url, {
      ...options,
      ...(ca && { ca: buffer(ca) }),
      ...(cert && { cert: buffer(cert), key: buffer(key) }),
      ...(will && { will: { ...will, payload: buffer(will.payload) } }),
      ...(username && { username, password }),
      reconnectPeriod: 0,
      resubscribe: false
    })
    client.once('connect', ({ sessionPresent, properties }) => {
      resolve({ session_present: sessionPresent, client_id: properties?.assignedClientIdentifier ?? options.clientId })
    })
    client.on('error', reject)
    client.on('close', () => reject(new Error('the connection was closed')))
    client.on('message', (topic, payload, { qos, retain, properties = {} }) => {
      const correlation = properties.correlationData?.toString('base64')
      const message = { topic, payload: payload.toString('base64'), qos, retain }
      say({ client: options.name, message: { ...message, properties: { ...properties, correlationData: correlation } } })
    })
    clients.set(options.name, client)
  })
}

function subscribe ({ client, filter, qos }) {
  return new Promise((resolve) => {
    clients.get(client).subscribe(filter, { qos }, (error, granted) => {
      resolve(error ? error.packet.granted[0] : granted[0].qos)
    })
  })
}

const unsubscribe = ({ client, filter }) => clients.get(client).unsubscribeAsync(filter).then(() => 0)

function publish ({ client, topic, payload, qos, retain, properties }) {
  const { correlationData, ...rest } = properties
  if (correlationData) rest.correlationData = buffer(correlationData)
  const options = { qos, retain, ...(Object.keys(rest).length && { properties: rest }) }
  return new Promise((resolve, reject) => {
    clients.get(client).publish(topic, buffer(payload), options, (error) => {
      if (error && error.code === undefined) reject(error)
      else resolve(error ? error.code : 0)
    })
  })
}

function close ({ client }) {
  const one = clients.get(client)
  clients.delete(client)
  if (!one) return 0
  return one.endAsync(!one.connected).then(() => 0)
}

const orders = { connect, subscribe, unsubscribe, publish, close }

readline.createInterface({ input: process.stdin }).on('line', async (line) => {
  const order = JSON.parse(line)
  try {
    say({ answer: order.number, value: await orders[order.do](order) })
  } catch (error) {
    say({ answer: order.number, error: String(error.message || error.code || error) })
  }
}).on('close', () => process.exit(0))
