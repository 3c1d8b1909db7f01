// Shows this gateway's own /openapi.json; no validator of another host is asked.
SwaggerUIBundle({ url: '/openapi.json', dom_id: '#docs', validatorUrl: null, docExpansion: 'list', tryItOutEnabled: false });
