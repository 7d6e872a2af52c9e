-- The road: PeerDB, with soft deletes and the default names of its two columns.

USE SCHEMA REENGAGE_BI.MODEL;

{{ reengage.landing_views('peerdb') }}
