"""Calls on servers, groups, products and customers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqlalchemy.orm import Session

from controller.operations import customers, groups, products, server_doors, servers
from controller.operations.records import must
from controller.store.models import Customer, Product, Server, ServerGroup
from controller.store.queries import find_customer, find_group, find_product, find_server
from controller.web.api import lists
from controller.web.api.answers import CustomerAnswer, GroupAnswer, ProductAnswer, ServerAnswer
from controller.web.api.bodies import HostKeyBody, NewCustomer, NewGroup, NewProduct, NewServer, Nothing, SshLogin
from controller.web.api.calls import Asked, Call, Creates, Listed
from controller.web.api.represent import (
    customer_answer,
    group_answer,
    product_answer,
    server_answer,
)
from controller.web.api.task_answers import TaskAnswer, task_answer


def _list_servers(asked: Asked) -> Listed:
    with asked.fleet.database.read() as session:
        page = lists.servers(session, asked.query)
        return Listed(page, [server_answer(server) for server in page.items])


def _get_server(asked: Asked) -> ServerAnswer:
    with asked.fleet.database.read() as session:
        return server_answer(must(find_server(session, asked.key), "server", asked.key))


def _add_server(asked: Asked) -> None:
    body: NewServer = asked.body
    servers.add(
        asked.fleet,
        asked.actor,
        name=body.name,
        address=body.address,
        port=body.port,
        driver=body.driver,
        capabilities=body.capabilities,
        group=body.group,
        ssh_user=body.ssh.user,
        ssh_password=body.ssh.password,
        ssh_private_key=body.ssh.private_key,
        ssh_become=body.ssh.become,
        host_key_fingerprint=body.host_key_fingerprint,
        capacity=body.capacity,
    )


def _check_server(asked: Asked) -> TaskAnswer:
    task = servers.check(asked.fleet, asked.actor, asked.key)
    with asked.fleet.database.read() as session:
        return task_answer(session, session.get_one(type(task), task.id))


def _accept_host_key(asked: Asked) -> ServerAnswer:
    server = server_doors.accept_host_key(asked.fleet, asked.actor, asked.key, asked.body.fingerprint)
    return _server_answer(asked, server.id)


def _change_login(asked: Asked) -> ServerAnswer:
    body: SshLogin = asked.body
    server = server_doors.change_login(
        asked.fleet,
        asked.actor,
        asked.key,
        ssh_user=body.user,
        ssh_password=body.password,
        ssh_private_key=body.private_key,
        ssh_become=body.become,
    )
    return _server_answer(asked, server.id)


def _server_answer(asked: Asked, server_id: int) -> ServerAnswer:
    with asked.fleet.database.read() as session:
        return server_answer(session.get_one(Server, server_id))


def _list_groups(asked: Asked) -> Listed:
    with asked.fleet.database.read() as session:
        page = lists.groups(session, asked.query)
        return Listed(page, [group_answer(group) for group in page.items])


def _get_group(asked: Asked) -> GroupAnswer:
    with asked.fleet.database.read() as session:
        return group_answer(must(find_group(session, asked.key), "group", asked.key))


def _create_group(asked: Asked) -> None:
    body: NewGroup = asked.body
    groups.create(asked.fleet, asked.actor, name=body.name, description=body.description, variables=body.variables)


def _list_products(asked: Asked) -> Listed:
    with asked.fleet.database.read() as session:
        page = lists.products(session, asked.query)
        return Listed(page, [product_answer(product) for product in page.items])


def _get_product(asked: Asked) -> ProductAnswer:
    with asked.fleet.database.read() as session:
        return product_answer(must(find_product(session, asked.key), "product", asked.key))


def _create_product(asked: Asked) -> None:
    body: NewProduct = asked.body
    products.create(
        asked.fleet,
        asked.actor,
        name=body.name,
        mode=body.mode,
        roles=body.roles,
        group=body.group,
        limits=body.limits,
        description=body.description,
        self_service=body.self_service,
    )


def _list_customers(asked: Asked) -> Listed:
    with asked.fleet.database.read() as session:
        page = lists.customers(session, asked.query)
        return Listed(page, [customer_answer(customer) for customer in page.items])


def _get_customer(asked: Asked) -> CustomerAnswer:
    with asked.fleet.database.read() as session:
        return customer_answer(must(find_customer(session, asked.key), "customer", asked.key))


def _create_customer(asked: Asked) -> None:
    body: NewCustomer = asked.body
    customers.create(asked.fleet, asked.actor, email=body.email, name=body.name)


def _created_server(_session: Session, server: Server, _added: Sequence[Any]) -> ServerAnswer:
    return server_answer(server)


def _created_group(_session: Session, group: ServerGroup, _added: Sequence[Any]) -> GroupAnswer:
    return group_answer(group)


def _created_product(_session: Session, product: Product, _added: Sequence[Any]) -> ProductAnswer:
    return product_answer(product)


def _created_customer(_session: Session, customer: Customer, _added: Sequence[Any]) -> CustomerAnswer:
    return customer_answer(customer)


CALLS = (
    Call(
        "GET",
        "/servers",
        "List servers",
        _list_servers,
        answer=ServerAnswer,
        query=lists.ServerParameters,
        listed=True,
        problems=("not-found",),
    ),
    Call(
        "POST",
        "/servers",
        "Add a server",
        _add_server,
        answer=ServerAnswer,
        status=201,
        body=NewServer,
        creates=Creates(Server, _created_server),
    ),
    Call("GET", "/servers/{id}", "Show a server", _get_server, answer=ServerAnswer),
    Call(
        "POST",
        "/servers/{id}/check",
        "Look what a server is, has and runs",
        _check_server,
        answer=TaskAnswer,
        status=202,
        body=Nothing,
    ),
    Call(
        "POST",
        "/servers/{id}/host-key",
        "Accept the SSH host key that a server shows now",
        _accept_host_key,
        answer=ServerAnswer,
        status=202,
        body=HostKeyBody,
    ),
    Call(
        "POST",
        "/servers/{id}/login",
        "Change the SSH login of a server; without password and key the stored one is kept",
        _change_login,
        answer=ServerAnswer,
        status=202,
        body=SshLogin,
    ),
    Call(
        "GET",
        "/groups",
        "List server groups",
        _list_groups,
        answer=GroupAnswer,
        query=lists.NamedParameters,
        listed=True,
    ),
    Call(
        "POST",
        "/groups",
        "Create a server group",
        _create_group,
        answer=GroupAnswer,
        status=201,
        body=NewGroup,
        creates=Creates(ServerGroup, _created_group),
    ),
    Call("GET", "/groups/{id}", "Show a server group", _get_group, answer=GroupAnswer),
    Call(
        "GET",
        "/products",
        "List products",
        _list_products,
        answer=ProductAnswer,
        query=lists.NamedParameters,
        listed=True,
    ),
    Call(
        "POST",
        "/products",
        "Create a product",
        _create_product,
        answer=ProductAnswer,
        status=201,
        body=NewProduct,
        creates=Creates(Product, _created_product),
    ),
    Call("GET", "/products/{id}", "Show a product", _get_product, answer=ProductAnswer),
    Call(
        "GET",
        "/customers",
        "List customers",
        _list_customers,
        answer=CustomerAnswer,
        query=lists.CustomerParameters,
        listed=True,
    ),
    Call(
        "POST",
        "/customers",
        "Create a customer",
        _create_customer,
        answer=CustomerAnswer,
        status=201,
        body=NewCustomer,
        creates=Creates(Customer, _created_customer),
    ),
    Call("GET", "/customers/{id}", "Show a customer", _get_customer, answer=CustomerAnswer),
)
