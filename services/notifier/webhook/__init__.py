"""Webhooks out: a care platform gets the pipeline's output events without reading Redis.

Not the channel of that name, which tells one person of one alert: this sends every event that a subscription wants, in
order for each patient, at least once on the wire and once by id. It never waits for, nor delays, what the services do.

    outlet      one for each process: shares the work among the replicas, a courier for each lease
    courier     one subscription in one partition: reads, sends, records
    backlog     what waits: in order for each patient, emergencies first
    endpoint    one receiver: signs and posts
"""
